# Receive an archive on standard input into a temporary directory beside its place, and tell the digest of every file.
to=${1%/} base= policy=$3
[ -n "$to" ] || to=/.
umask 077
place
trap 'exit 143' TERM HUP INT
tree=$(mktemp -d "${parent}.holdfast-XXXXXXXXXX" 2>&1) || fail "$tree"
trap '[ -n "$complete" ] || rm -rf -- "$tree"' EXIT
say at "${tree##*/}"
said=$(umask 0 && tar -xpof - -C "$tree" 2>&1) || fail "$said"
durable -f "$tree" & # while the sums are made
syncing=$!
tools=$(command -v sha256sum || command -v shasum) || no failed "no program for checksums"
[ "${tools##*/}" = sha256sum ] || tools="$tools -a 256"
(cd -- "$tree" && find . -type f -exec $tools {} +) || no failed "the checksums cannot be made"
wait "$syncing" || exit 1
complete=1
