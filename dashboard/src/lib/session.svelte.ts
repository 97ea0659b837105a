// Who sits here: the role decides which buttons there are, the token of the session goes with everything that changes.

export type Role = "viewer" | "operator" | "approver" | "admin";

export interface Said {
  role: Role;
  name?: string;
  csrf?: string | null;
  csrf_token?: string | null;
  version?: string;
  damage?: string | null;
}

const RANK: Record<Role, number> = { viewer: 0, operator: 1, approver: 2, admin: 3 };

class Session {
  standing = $state<"unknown" | "open" | "none">("unknown");
  role = $state<Role>("viewer");
  name = $state("");
  version = $state("");
  damage = $state<string | null>(null);
  csrf = "";

  opened(said: Said): void {
    this.role = said.role;
    this.name = said.name ?? "";
    this.version = said.version ?? "";
    this.damage = said.damage ?? null;
    this.csrf = said.csrf ?? said.csrf_token ?? "";
    this.standing = "open";
  }

  lost(): void {
    this.standing = "none";
  }

  may(role: Role): boolean {
    return RANK[this.role] >= RANK[role];
  }
}

export const session = new Session();
