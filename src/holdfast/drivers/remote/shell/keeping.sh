# Where things are kept until a run is settled, who may work for a run, and how nothing is left behind. The places are
# those of `files/stash.py` and `remote/keeping.py`: slot `ID`, `.ID.part`, `.ID.old`, links `.at-...` to other mounts.
# Beside them `.ID.mark` says that something was begun that takes two calls; `.time-NS` is a file of that very time.

# no CODE MESSAGE [KEPT]
no() { CODE=$1 SAID=$2 KEPT=${3-}; return 1; }
try() { SAID=$("$@" 2>&1 </dev/null) || no os "$SAID"; }
refuse() { printf 'refused %s %s' "$CODE" "$SAID"; end; }

# -- mounts

read_mounts() {
	MOUNTS=
	while read -r number _ _ _ top how _; do
		case $top in *\\*) top=$(printf %b "$top") ;; esac
		case ,$how, in *,ro,*) how=ro ;; *) how=rw ;; esac
		MOUNTS="$MOUNTS$number $how $top$NL"
	done 2>/dev/null </proc/self/mountinfo
}

# mount_of REAL_DIR: MOUNT is its number, TOP where it begins, READ is rw or ro. Who comes anew forgets the mounts, for
# others may have come: whoever asks first reads them again.
mount_of() {
	[ -n "$MOUNTS" ] || read_mounts
	MOUNT=- TOP='' READ=rw
	old_ifs=$IFS IFS=$NL
	set -f
	for one in $MOUNTS; do
		number=${one%% *} one=${one#* }
		how=${one%% *} top=${one#* }
		[ "$top" != / ] || top=
		case $1/ in
		"$top"/*) [ "${#top}" -lt "${#TOP}" ] || { MOUNT=$number TOP=$top READ=$how; } ;;
		esac
	done
	set +f
	IFS=$old_ifs
}

# -- stashes

is_private() { [ -O "$1" ] && [ ! -L "$1" ] && [ "$(stat -c %f -- "$1")" = 41c0 ]; }

enter() {
	[ -z "$ENTERED" ] || return 0
	for _ in 1 2 3 4 5; do
		mkdir -p -- "${H%/*}/" 2>/dev/null
		mkdir -m 700 -- "$H" 2>/dev/null
		! there "$H" || is_private "$H" || { no permission_denied "$H is not a private directory of this user"; return; }
		mkdir -- "$H/.runs" 2>/dev/null
		{ : >"$H/.runs/$ME.here"; } 2>/dev/null && break
	done
	[ -e "$H/.runs/$ME.here" ] || { try mkdir -- "$H/.runs" || return; no os "$H: cannot be written to"; return; }
	mount_of "$(cd -P -- "$H" && pwd -P)"
	STASHES="$NL$MOUNT $H$NL" AT=
	for record in "$H"/.at-*; do
		[ -L "$record" ] || continue
		found=$(readlink -n -- "$record")
		[ ! -d "$found" ] || { mount_of "$found"; STASHES="$STASHES$MOUNT $found$NL"; }
	done
	ENTERED=1
}

# stash_for DIR: S is the stash on its mount, or on that of the nearest directory above it that is there
stash_for() {
	[ "$1" != "$AT" ] || return 0
	near=$1
	until [ -d "$near/" ]; do near=${near%/*}; done
	cd -P -- "$near/" 2>/dev/null || { no permission_denied "$near: permission denied"; return; }
	mount_of "$(pwd -P)"
	case $STASHES in
	*"$NL$MOUNT "*) S=${STASHES#*"$NL$MOUNT "} S=${S%%"$NL"*} ;;
	*) new_stash "$TOP" "$(pwd -P)" && STASHES="$STASHES$MOUNT $S$NL" || return ;;
	esac
	AT=$1
}

# new_stash TOP DIR: as near to the top as we may write
new_stash() {
	S=$1/.holdfast-remote
	if mkdir -m 700 -- "$S" 2>/dev/null || { real_dir "$S" && is_private "$S"; }; then
		record=$(printf %s "$S" | digest)
		record=$H/.at-${record%????????????????????????????????}
		[ -L "$record" ] || try ln -s -- "$S" "$record" && try flush "$H"
		return
	fi
	[ "$READ" = rw ] || { no read_only "$2: read-only file system"; return; }
	[ "$1" != "$2" ] || { no permission_denied "nothing can be kept on the file system of $2"; return; }
	rest=${2#"$1/"}
	new_stash "$1/${rest%%/*}" "$2"
}

flush() { if [ -n "$FLUSHES" ]; then sync -f -- "$1"; else sync; fi; }

# flush_all: every mount that is worked on
flush_all() {
	old_ifs=$IFS IFS=$NL
	set -f
	set -- $STASHES
	set +f
	IFS=$old_ifs
	for one; do
		SAID=$(flush "${one#* }" 2>&1) || { CODE=storage_failed; return 1; }
	done
}

# each_stash COMMAND WORDS: with the path of every stash behind them
each_stash() {
	"$@" "$H"
	for record in "$H"/.at-*; do
		[ ! -L "$record" ] || "$@" "$(readlink -n -- "$record")"
	done
}

# kept: the slots in which anything lies
kept() { each_stash kept_in; }

kept_in() {
	names "$1" | while read -r name; do
		case $name in
		.runs | .at-* | .time-*) continue ;;
		.*) name=${name#.} name=${name%.*} ;;
		esac
		printf '%s\n' "$name"
	done
}

slots() { [ ! -d "$H" ] || kept; end; }

# settle SLOTS: drop what only undo needed
settle() {
	[ -d "$H" ] || return 0
	for slot; do each_stash drop "$slot"; done
}

drop() {
	for name in "$2/$1" "$2/.$1.part" "$2/.$1.old" "$2/.$1.mark"; do
		! there "$name" || clear_away "$name"
	done
}

clear_away() { rm -rf -- "$1" 2>/dev/null || { chmod -R u+rwx -- "$1"; rm -rf -- "$1"; } 2>/dev/null; }

# -- runs

# number_in FIELD PID: of what the kernel says of a process, counted behind its name
number_in() {
	read -r one 2>/dev/null <"/proc/$2/stat" || return 0
	field=$1
	set -- ${one##*) }
	shift $((field - 1))
	printf %s "$1"
}

# lives PID SINCE: is it still the one that began then? What only waits for its end to be heard of does nothing any more
lives() { [ "$(number_in 20 "$1")" = "$2" ] && [ "$(number_in 1 "$1")" != Z ]; }

# take SLOT: from here on nobody else works for this run; who still does is ended, with what he had begun. Waits for no
# more than PATIENCE, in hundredths of a second
take() {
	case $NL$TAKEN in *"$NL$1$NL"*) return 0 ;; esac
	lock=$H/.runs/$1.lock
	who=
	read -r who since group 2>/dev/null <"$lock"
	until=$(($(hundredths) + PATIENCE))
	while [ -n "$who" ] && [ "$who" != $$ ] && lives "$who" "$since"; do
		[ "$(hundredths)" -lt "$until" ] || { no io_error "$lock: the worker that holds it cannot be ended"; return; }
		[ "$group" = "$GROUP" ] || [ "$group" = - ] || kill -KILL "-$group" 2>/dev/null
		kill -KILL "$who" 2>/dev/null
		pause
	done
	new=$H/.runs/$ME.new
	{ printf '%s %s %s\n' $$ "${ME#*-}" "$GROUP" >"$new" && mv -f -- "$new" "$lock"; } 2>/dev/null || rm -f -- "$new"
	TAKEN="$TAKEN$1$NL"
}

pause() { sleep 0.1 2>/dev/null || sleep 1; }

# leave: let go of everything; whatever is empty goes
leave() {
	[ -n "$ENTERED" ] || return 0
	cd /
	printf %s "$TAKEN" | while read -r run; do rm -f -- "$H/.runs/$run.lock"; done
	rm -f -- "$H/.runs/$ME.here"
	for here in "$H"/.runs/*.here "$H"/.runs/*.new; do
		who=${here##*/} who=${who%.*}
		lives "${who%-*}" "${who#*-}" || rm -f -- "$here"
	done
	for lock in "$H"/.runs/*.lock; do
		who='' since=''
		read -r who since group <"$lock"
		lives "${who:-none}" "${since:-nothing}" || rm -f -- "$lock"
	done
	[ -z "$(kept)" ] || return 0
	rmdir -- "$H/.runs" 2>/dev/null || return 0
	for record in "$H"/.at-*; do
		[ -L "$record" ] || continue
		rmdir -- "$(readlink -n -- "$record")" 2>/dev/null
		rm -f -- "$record"
	done
	rm -f -- "$H"/.time-*
	rmdir -- "$H"
} 2>/dev/null
