# New objects, completed where nobody sees them: as `.SLOT.part` in a stash. Content, owner, mode, times, in this order.
# A call that fails sets BAD, and the calls after it for the same order do nothing; `built` remembers why.

# part N SLOT DIR: from here on P is what is built
part() {
	n=$1 BAD=''
	P=/nonexistent
	if skips "$n"; then BAD=1; return; fi
	stash_for "$3" || { BAD=1; return; }
	P=$S/.$2.part
	! there "$P" || clear_away "$P"
}

built() {
	[ -n "$BAD" ] || return 0
	skips "$n" || eval "T_$n=\$CODE E_$n=\$SAID"
	! there "$P" || clear_away "$P"
}

# step COMMAND WORDS
step() { [ -n "$BAD" ] || try "$@" || BAD=1; }

# fill BELOW FORMAT TEXT: a new file, or more for it; its mode is what UMASK leaves of 0666
fill() {
	[ -z "$BAD" ] || return 0
	umask "$UMASK"
	if ! { printf "$2" "$3" >>"$P$1"; } 2>/dev/null; then
		SAID=$({ printf "$2" "$3" | cat >>"$P$1"; } 2>&1)
		no os "${SAID:-cannot be written}"
		BAD=1
	fi
	umask 077
}

# fill_from BELOW: the same, in base64 on the standard input
fill_from() {
	[ -z "$BAD" ] || return 0
	umask "$UMASK"
	SAID=$({ base64 -d >>"$P$1"; } 2>&1) || { no os "$SAID"; BAD=1; }
	umask 077
}

# attributes_of DIR NAME: those of the object that is to be replaced, as far as the tools here can copy them
attributes_of() {
	[ -z "$BAD" ] && [ -n "$GNU" ] && [ -f "$1/$2" ] && [ ! -L "$1/$2" ] || return 0
	cp --attributes-only --preserve=mode,xattr -- "$1/$2" "$P" 2>/dev/null || clear_away "$P"
}

# copied ORIGIN BELOW: as it is, with all its metadata
copied() {
	[ -z "$BAD" ] || return 0
	there "$1" || { no source_not_found "$1: no such file or directory"; BAD=1; return; }
	step cp -a -T -- "$1" "$P$2"
}

# timed BELOW TIME
timed() { step touch -h -m -d "$2" -- "$P$1"; }

# proved BELOW DIGEST: it must be what was planned; all are compared at once
proved() {
	[ -z "$BAD" ] || return 0
	case $P$1 in
	*"$NL"* | *\\*) [ "$(digest "$P$1")" = "$2" ] || { no checksum_mismatch "$(digest "$P$1")"; BAD=1; } ;;
	*) PROOFS="$PROOFS$n $2  $P$1$NL" ;;
	esac
}

prove_all() {
	[ -n "$PROOFS" ] || return 0
	if printf %s "$PROOFS" | while read -r _ rest; do printf '%s\n' "$rest"; done | sha256sum -c >/dev/null 2>&1; then
		PROOFS=
		return
	fi
	old_ifs=$IFS IFS=$NL
	set -f
	set -- $PROOFS
	set +f
	IFS=$old_ifs
	PROOFS=
	for one; do
		n=${one%% *} one=${one#* }
		wanted=${one%% *} P=${one#*  }
		found=$(digest "$P")
		[ "$found" != "$wanted" ] || continue
		eval "T_$n=checksum_mismatch E_$n=\$found"
		[ "$(stat -f -c %a -- "$P")" != 0 ] || eval "T_$n=os E_$n='No space left on device'"  # not every tool says so
	done
}

# proved_whole WANTED: a copy of many objects must look as it was planned
proved_whole() {
	[ -z "$BAD" ] || return 0
	look "$P" "$1"
	[ "$X" = "$1" ] || { no checksum_mismatch ''; BAD=1; }
}

# doom CODE MESSAGE: it cannot be built
doom() { [ -n "$BAD" ] || { no "$1" "$2"; BAD=1; }; }
