"""Plans before they are applied: shown, rehearsed, kept, confined, limited, approved."""
