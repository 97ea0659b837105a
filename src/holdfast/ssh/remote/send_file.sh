# Send one file on standard output, after what it is and before its digest.
file=$1
[ -e "$file" ] || no missing "$file"
[ -r "$file" ] || no denied "$file"
if [ -d "$file" ]; then
    say tree "$(stat -c '%a %Y' -- "$file")"
    exit 0
fi
[ -f "$file" ] || no failed "$file is no file"
say file "$(stat -c '%a %Y %s' -- "$file")"
cat -- "$file" || no failed "$file cannot be read"
found=$(digest <"$file") || no failed "no program for checksums"
say sum "${found%% *}"
