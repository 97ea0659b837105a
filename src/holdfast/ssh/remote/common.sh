# Put before every other text. What we say to the client are lines on the error stream that begin with the mark.
mark=$1
shift
export LC_MESSAGES=C # complaints are read

say() { echo "$mark $*" >&2; }

no() {
    say "$@"
    exit 1
}

# What a tool complained about, as one of our words.
fail() {
    case $1 in
    *"No space left"*) no nospace "$1" ;;
    *"ermission denied"* | *"not permitted"*) no denied "$1" ;;
    *"ead-only"*) no readonly "$1" ;;
    *) no failed "$1" ;;
    esac
}

try() { said=$("$@" 2>&1) || fail "$said"; }

# To the disk, by itself or (-f) with its whole file system. What the disk refuses is an error, not being able to
# ask for so little is none.
durable() {
    refused=$(sync "$@" 2>&1) && return
    case $refused in
    *"nput/output error"* | *"No space left"* | *"uota exceeded"*) fail "$refused" ;;
    *) sync ;;
    esac
}

there() { [ -e "$1" ] || [ -L "$1" ]; }

directory() { [ -d "$1" ] && [ ! -L "$1" ]; }

# The fastest first: openssl uses what the processor has for it.
digest() {
    if command -v openssl >/dev/null; then
        openssl dgst -sha256 -r "$@"
    elif command -v sha256sum >/dev/null; then
        sha256sum "$@"
    else
        shasum -a 256 "$@"
    fi
}

# Where something goes: into a directory that is there, under the name it has, or to the path itself.
place() {
    case $to in
    */) [ -d "$to" ] || no noparent "$to" ;;
    esac
    if [ -n "$base" ] && [ -d "$to" ]; then
        to=${to%/}/$base
        say inside
    fi
    case $to in
    */*) parent=${to%/*}/ ;;
    *) parent=./ ;;
    esac
    [ -d "$parent" ] || no noparent "$parent"
    if there "$to"; then
        case $policy in
        fail) no exists "$to" ;;
        skip)
            say skipped "$to"
            exit 0
            ;;
        esac
    fi
}
