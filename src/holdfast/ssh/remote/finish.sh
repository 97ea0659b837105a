# Give what was received its attributes, and its name. Until here nobody has seen it.
kind=$1 new=$2 to=$3 policy=$4 mode=$5 owner=$6 time=$7 stamp=$8

# Everything in $1 to its place in $2, which is a directory as well; entry by entry, each by one rename.
merge() {
    for inner in "$1"/*/ "$1"/.[!.]*/ "$1"/..?*/; do
        inner=${inner%/}
        if directory "$inner" && directory "$2/${inner##*/}"; then
            (merge "$inner" "$2/${inner##*/}") || return 1
            rmdir -- "$inner" || return 1
        fi
    done
    find "$1/." ! -name . -prune -exec sh -c 'to=$1; shift; mv -f -- "$@" "$to/"' sh "$2" {} +
}

# The first entry that is a directory on one side only.
clash() {
    cd -- "$new" && find . -exec sh -c '
        to=$1; shift
        for one do
            [ -e "$to/$one" ] || [ -L "$to/$one" ] || continue
            here=; [ -L "$one" ] || [ ! -d "$one" ] || here=1
            there=; [ -L "$to/$one" ] || [ ! -d "$to/$one" ] || there=1
            [ "$here" = "$there" ] || echo "$to/$one"
        done' sh "$to" {} + | head -n 1
}

# chown first: it clears bits of the mode.
if [ -n "$owner" ]; then
    if [ "$kind" = tree ]; then try chown -R -- "$owner" "$new"; else try chown -- "$owner" "$new"; fi
fi
[ -z "$mode" ] || try chmod -- "$mode" "$new"
[ -z "$time" ] || try touch -c -d "@$time" -- "$new"

if there "$to"; then
    case $policy in
    skip)
        rm -rf -- "$new"
        say skipped "$to"
        exit 0
        ;;
    fail) no exists "$to" ;;
    backup)
        try mv -f -- "$to" "$to.$stamp.bak"
        say backup "$to.$stamp.bak"
        ;;
    esac
fi
if [ "$kind" = tree ] && there "$to"; then
    directory "$to" || no exists "$to"
    case $to in /*) ;; *) to=$PWD/$to ;; esac
    found=$(clash)
    [ -z "$found" ] || no exists "$found"
    try merge "$new" "$to"
    rm -rf -- "$new"
elif [ "$policy" = fail ] && [ "$kind" = file ]; then # a link is never made over something that came meanwhile
    try ln -- "$new" "$to"
    rm -f -- "$new"
else
    ! directory "$to" || no exists "$to"
    try mv -f -- "$new" "$to"
fi
case $to in
*/*) durable "${to%/*}/" ;;
*) durable . ;;
esac
say done "$to"
