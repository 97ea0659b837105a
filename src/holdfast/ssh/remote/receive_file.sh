# Receive one file on standard input into a temporary file beside its place, make it durable and tell its digest.
to=$1 base=$2 policy=$3 size=$4 key=$5 taker=$6
umask 077
place
trap 'exit 143' TERM HUP INT
if [ -n "$key" ]; then # an upload that broke is gone on with
    file=${parent}.holdfast-$key.part
    if [ -L "$file" ] || { [ -e "$file" ] && [ ! -O "$file" ]; }; then no failed "$file is not ours"; fi
else
    file=$(mktemp "${parent}.holdfast-XXXXXXXXXX" 2>&1) || fail "$file"
    trap '[ -n "$complete" ] || rm -f -- "$file"' EXIT
fi
say at "${file##*/}"
have=0
[ ! -e "$file" ] || have=$(($(wc -c <"$file")))
if [ "$have" -gt "$size" ]; then
    rm -f -- "$file"
    have=0
fi
say have "$have"
# Written and hashed at the same time; complaints come before the digest.
if [ -n "$taker" ] && python3 -I -c 'import hashlib' 2>/dev/null; then
    said=$(python3 -I -c "$taker" "$file" 2>&1)
else
    said=$({ { [ "$have" = 0 ] || cat -- "$file"; tee -a -- "$file"; } 2>&3 | digest; } 3>&1)
fi
got=$(($(wc -c <"$file")))
if [ "$got" != "$size" ]; then
    case $said in
    *": "*)
        rm -f -- "$file"
        fail "$said"
        ;;
    esac
    no short "$got"
fi
durable "$file"
found=${said##*
}
complete=1
say sum "${found%% *}"
