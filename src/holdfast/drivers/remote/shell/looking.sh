# The far end on a host without Python: what `worker.py` does there, in the words of a POSIX shell and of the tools of
# coreutils or busybox. `sh` reads it from its standard input, before requests; each request is one group of calls, so
# that a torn one is never carried out. An answer is sections that end with $K, which nobody can guess.
#
# This part looks. A signature says what stands at a name, as deep as it takes to compare it with a wanted one:
# `-` nothing; HEAD (mode in hex, owner, group, device) for the rest, and `HEAD > target`, `HEAD = digest` or
# `HEAD @ identity` of a file, `HEAD * digest` or `HEAD # digest` of a tree with or without contents, `HEAD !` empty.

export LC_ALL=C TZ=UTC0
unset CDPATH
umask 077
NL='
'
# The names in this directory, in the order of their bytes, hidden ones after the others.
ALL='set -- ./..?*; there "$1" || shift; set -- ./.[!.]* "$@"; there "$1" || shift; set -- ./* "$@"; there "$1" || shift'

end() { printf '%s\n' "$K"; }
there() { [ -e "$1" ] || [ -L "$1" ]; }
real_dir() { [ -d "$1" ] && [ ! -L "$1" ]; }

# see NAME: LINE tells the object from every other and from its former self; HEAD what it is; STAMP which one it is
see() {
	there "$1" || return 1
	LINE=$(stat -c "$FORMAT" -- "$1" 2>/dev/null) || return 1
	LINE=${LINE%|*}
	take_head $LINE
	STAMP=${LINE%%|*}
	STAMP=${STAMP#"$HEAD "}
}

take_head() { HEAD="$1 $2 $3 $4 $5"; }

# look NAME WANTED [LINE]: X is its signature, as deep as the wanted one; LINE is how the wanted object was seen before
look() {
	X=-
	see "$1" || return 0
	X=$HEAD
	if [ -n "${3-}" ] && { [ "$LINE" = "$3" ] || [ "$HEAD $STAMP" = "$3" ]; }; then X=$2; return 0; fi
	case $X/$2 in
	a*/*) X="$X > $(readlink -n -- "$1" && printf .)" X=${X%.} ;;
	8*/8*' = '*) X="$X = $(digest "$1")" ;;
	8*/8*' @ '*) X="$X @ $STAMP" ;;
	4*/4*' !') [ -n "$(names "$1")" ] || X="$X !" ;;
	4*/4*' * '*) X="$X * $(tree "$1" content | digest)" ;;
	4*/4*' # '*) X="$X # $(tree "$1" shape | digest)" ;;
	esac
	return 0
}

digest() {
	if [ $# -gt 0 ]; then set -- "$(sha256sum <"$1" 2>/dev/null)"; else set -- "$(sha256sum)"; fi
	printf %s "${1%% *}"
}

names() (
	cd -P -- "$1" 2>/dev/null || exit 0
	eval "$ALL"
	for each; do printf '%s\n' "${each#./}"; done
)

# show DEPTH NAMES: sections of names, of lines, of the targets of links, and of what regular files are: their digests for
# `content` and `full`, which one each is for `shape`, nothing for `list`
show() {
	depth=$1
	shift
	[ $# -eq 0 ] || printf '%s\0' "$@"
	end
	case $depth in
	full | list) lines "$FORMAT" "$@" ;;
	*) lines "$PLAIN" "$@" ;;
	esac
	end
	for each; do
		[ ! -L "$each" ] || { readlink -n -- "$each"; printf '\0'; }
	done
	end
	[ "$depth" = list ] || files "$@"
	end
}

lines() {
	format=$1
	shift
	[ $# -gt 0 ] || return 0
	if found=$(stat -c "$format" -- "$@" 2>/dev/null); then printf '%s\n' "$found"; return; fi
	for each; do stat -c "$format" -- "$each" 2>/dev/null || echo -; done
}

# files NAMES: of the regular ones, as `show` says
files() {
	odd=
	for each; do
		shift
		[ -f "$each" ] && [ ! -L "$each" ] || continue
		[ -r "$each" ] || odd=1
		case $each in *"$NL"* | *\\*) odd=1 ;; esac
		set -- "$@" "$each"
	done
	[ $# -gt 0 ] || return 0
	if [ "$depth" = shape ]; then lines "$WHICH" "$@"; return; fi
	if [ -z "$odd" ]; then sha256sum -- "$@" 2>/dev/null && return; fi
	for each; do { sha256sum <"$each"; } 2>/dev/null || echo -; done
}

# tree DIR DEPTH: everything beneath, directory by directory; in `full` depth with the line of each directory
tree() (cd -P -- "$1" 2>/dev/null && beneath "$2" "")

beneath() {
	DEPTH=$1 ABOVE=$2
	eval "$ALL"
	printf %s "$ABOVE"
	end
	case $DEPTH in full | list) stat -c "$FORMAT" .; end ;; esac
	show "$DEPTH" "$@"
	for each; do
		! real_dir "$each" || (cd -P -- "$each" 2>/dev/null && beneath "$DEPTH" "$ABOVE${each#./}/")
	done
}

# -- questions

# at DIR: go there, and say so; the questions that follow are about names in it
at() {
	HERE=
	if cd -P -- "$1/" 2>/dev/null; then
		HERE=1
		printf 'here %s' "$(stat -c "$FORMAT" .)"
	elif [ -d "$1/" ] || is_hidden "$1"; then
		printf forbidden
	else
		printf nowhere
	fi
	end
}

# is_hidden DIR: does it lie below a directory that we may not pass?
is_hidden() {
	above=$1
	while [ -n "$above" ]; do
		if [ -d "$above" ]; then [ -x "$above" ] && return 1; return 0; fi
		above=${above%/*}
	done
	return 1
}

# glance NAMES: those that are there, what we may do with each, and the room on the file systems of directories
glance() {
	[ -n "$HERE" ] || return 0
	for each; do
		shift
		! there "$each" || set -- "$@" "$each"
	done
	show list "$@"
	for each; do may "$each"; done
	end
	for each; do
		shift
		! real_dir "$each" || set -- "$@" "$each"
	done
	room "$@"
	end
}

# room DIRECTORIES: free blocks and their size, of each
room() {
	[ $# -gt 0 ] || return 0
	if found=$(stat -f -c '%a %S' -- "$@" 2>/dev/null); then printf '%s\n' "$found"; return; fi
	for each; do stat -f -c '%a %S' -- "$each" 2>/dev/null || echo -; done
}

# may NAME: r read, w write, x pass, e empty, o mounted read-only
may() {
	what=.
	if [ ! -L "$1" ]; then
		[ ! -r "$1" ] || what=${what}r
		[ ! -w "$1" ] || what=${what}w
		if [ -d "$1" ]; then
			[ ! -x "$1" ] || what=${what}x
			[ -n "$(names "$1")" ] || what=${what}e
			mount_of "${PWD%/}/${1#./}"
			[ "$READ" = rw ] || what=${what}o
		fi
	fi
	printf '%s\n' "$what"
}

# read_files BYTES_MAX NAMES: digests of the regular ones, and the contents of those that are small, one after the other
read_files() {
	[ -n "$HERE" ] || return 0
	max=$1
	shift
	for each; do
		shift
		[ ! -f "$each" ] || [ -L "$each" ] || set -- "$@" "$each"
	done
	[ $# -eq 0 ] || printf '%s\0' "$@"
	end
	depth=full
	files "$@"
	end
	for each; do
		shift
		size=$(stat -c %s -- "$each" 2>/dev/null) && [ "$size" -le "$max" ] && [ -r "$each" ] && set -- "$@" "$each"
	done
	[ $# -eq 0 ] || printf '%s\0' "$@"
	end
	[ $# -eq 0 ] || cat -- "$@" 2>/dev/null
	end
}

# read_tree NAME
read_tree() {
	[ -n "$HERE" ] && real_dir "$1" || return 0
	printf 'tree %s' "$1"
	end
	tree "$1" "$2"
	printf over
	end
}

facts() { id -u; id -g; id -G; umask; }

# number user|group NAME: what the host's own files or name service say; nothing when nobody has it
number() {
	if [ "$1" = user ]; then
		id -u -- "$2" 2>/dev/null
	elif found=$(getent group "$2" 2>/dev/null); then
		found=${found#*:*:}
		printf %s "${found%%:*}"
	else
		while IFS=: read -r one _ id _; do [ "$one" != "$2" ] || { printf %s "$id"; break; }; done 2>/dev/null </etc/group
	fi
	end
}

# send FILE: its bytes, up to the mark; another word than the usual one behind that says that they are not all
send() {
	if [ -f "$1" ] && [ ! -L "$1" ] && { cat <"$1"; } 2>/dev/null; then end; else printf '%s!' "$K"; fi
}
