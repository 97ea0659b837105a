# The moment at which an order takes effect. What stands at the name is compared before, what fell out of it after.
#
# Names cannot be exchanged here. So the old object gets a second name, in its slot, and then the new one takes the
# first: the path is never missing. Directories have one name only; for them, and where a second name is refused, the
# old one is moved into the slot first, under a mark that lets whoever comes after a crash finish or take it back.

begin() { KEEP_GOING=$1 HALTED= STORAGE= LOST=' ' TIMES= PROOFS=; }

report() { printf '%s\0%s\0%s\0%s\0%s\0' "$n" "$1" "${2-}" "${3-}" "${4-}"; }

# skips N [NEEDS]
skips() {
	[ -z "$HALTED" ] || return 0
	for one in ${2-}; do case $LOST in *" $one "*) return 0 ;; esac; done
	return 1
}

# order N FORM SLOT DIR NAME BEFORE SEEN AFTER BACK AROUND NEEDS [PLAIN [OTHER [OTHER_NAME [OTHER_AROUND]]]]
# SEEN is how the object before was seen, BACK how the one was that an undo brings back; PLAIN is a mode; OTHER is the
# directory of the other end of a move, and for attributes the owner
order() {
	n=$1 form=$2 slot=$3 dir=$4 name=./$5 before=$6 seen=$7 after=$8 back=$9
	shift 9
	around=$1 needs=$2 plain=${3-} other=${4-} other_name=${5-} other_around=${6-}
	CODE= SAID= KEPT=
	eval "CODE=\${T_$n-} SAID=\${E_$n-}; unset T_$n E_$n"
	if skips "$n" "$needs"; then LOST="$LOST$n "; report skipped; return; fi
	if [ -z "$CODE" ] && arrive && "$form"; then report "$ENDING"; return; fi
	case $CODE/$form in
	?*/unmake) there "$dir/$name" || { report unchanged; return; } ;;
	parent_not_found/delete | parent_not_found/expect) report unchanged; return ;;
	esac
	report "${FAILED:-failed}" "$CODE" "$SAID" "$KEPT"
	LOST="$LOST$n " FAILED=
	[ -n "$KEEP_GOING" ] || HALTED=1
	[ -z "${S-}" ] || ! there "$S/.$slot.part" || clear_away "$S/.$slot.part"
}

arrive() {
	if [ ! -d "$dir/" ]; then
		if is_hidden "$dir"; then no permission_denied "$dir: permission denied"; else no parent_not_found "$dir is not there"; fi
		return
	fi
	stash_for "$dir" || return
	try cd -P -- "$dir/" || return
	cd -P -- "$dir/"
	part=$S/.$slot.part held=$S/$slot mark=$S/.$slot.mark old=$S/.$slot.old
	[ -n "$GNU" ] || [ -z "$around" ] || [ -e "$H/.time-$around" ] || keep_time
}

keep_time() {
	touch -r . "$H/.time-$around" 2>/dev/null
	[ "$(stat -c %y "$H/.time-$around" 2>/dev/null)" = "$around" ] || rm -f -- "$H/.time-$around"
}

unchanged() { ENDING=unchanged; }
made() { ENDING=done; }
undone() { ENDING=done; note_time "$PWD" "$around"; }
note_time() { [ -z "$2" ] || TIMES="$TIMES$2/$1$NL"; }
foreign() { no foreign_change "${1:-$X}" "${2-}"; }

# put_back_times: when everything is undone, directories shall look as if nobody had been there
put_back_times() {
	printf %s "$TIMES" | while IFS= read -r one; do
		if [ -n "$GNU" ]; then touch -m -d "@${one%%/*}" -- "/${one#*/}"; else touch -m -r "$H/.time-${one%%/*}" -- "/${one#*/}"; fi
	done 2>/dev/null
}

# place FROM TO: a name that nothing has yet
place() {
	if [ -z "$GNU" ] && ! real_dir "$1"; then
		SAID=$(ln -T -- "$1" "$2" 2>&1) && { rm -f -- "$1"; return; }
		if there "$2"; then [ "$1" -ef "$2" ] && rm -f -- "$1" && return; look "$2" -; foreign; return; fi
		case $SAID in *Operation\ not\ permitted* | *not\ supported*) ;; *) no os "$SAID"; return ;; esac
	fi
	! there "$2" || { look "$2" -; foreign; return; }
	if [ -n "$GNU" ]; then try mv -nT -- "$1" "$2"; else try mv -T -- "$1" "$2"; fi || return
	! there "$1" || { look "$2" -; foreign; }
}

# put_in_slot: what stands at the name goes into its slot, and must be what was seen there
put_in_slot() {
	was="$HEAD $STAMP"
	try mv -T -- "$name" "$held" || return
	see "$held"
	[ "$HEAD $STAMP" != "$was" ] || return 0
	place "$held" "$name"
	look "$name" "$before"
	foreign
}

# is_held: does the slot hold what shall come back?
is_held() {
	look "$held" "$after" "${back%%|*}"
	[ "$X" != - ] || { no before_image_lost "nothing holds it any more"; return; }
	[ "$X" = "$after" ] || no before_image_lost "$X" "$held"
}

# -- there is nothing to be done, if that is true

expect() {
	look "$name" "$after"
	[ "$X" = "$after" ] && unchanged || foreign
}

# -- there was nothing, there shall be something

create() {
	if there "$name"; then
		look "$name" "$after"
		[ "$X" = "$after" ] && unchanged || foreign
		return
	fi
	if there "$part"; then
		place "$part" "$name" || return
	else
		case $after in
		a*) try ln -sT -- "${after#* > }" "$name" ;;
		*) try mkdir -m "$plain" -- "$name" ;;
		esac || return
	fi
	made
}

restore() {
	look "$name" "$after" "$back"
	if [ "$X" = "$after" ]; then
		note_time "$PWD" "$around"
		unchanged
	elif [ "$X" != - ]; then
		there "$held" || held=
		foreign "$X" "$held"
	else
		is_held && place "$held" "$name" && undone
	fi
}

# -- there was something, there shall be something else

replace() {
	mend
	look "$name" "$before" "$seen"
	if [ "$X" != "$before" ]; then
		look "$name" "$after"
		[ "$X" = "$after" ] && clear_away "$part" && unchanged || foreign
		return
	fi
	[ "$held" -ef "$name" ] && [ ! -L "$name" ] || ! there "$held" || clear_away "$held"
	trade "$part" && made
}

# trade NEW: it takes the name, and what stood there is in the slot
trade() {
	was="$HEAD $STAMP"
	if in_one "$1" && { there "$held" || ln -T -- "$name" "$held" 2>/dev/null; }; then
		see "$held"
		[ "$HEAD $STAMP" = "$was" ] || { rm -f -- "$held"; look "$name" "$before"; foreign; return; }
		try mv -fT -- "$1" "$name"
		return
	fi
	try ln -sfT swap "$mark" && put_in_slot || return
	place "$1" "$name" || { why=$SAID; place "$held" "$name"; rm -f -- "$mark"; SAID=$why; return 1; }
	rm -f -- "$mark"
}

# in_one NEW: can one rename put it over what stands at the name? busybox follows a link there
in_one() { ! real_dir "$1" && ! real_dir "$name" && { [ -n "$GNU" ] || [ ! -L "$name" ]; }; }

# mend: a trade in two steps that nobody finished is taken back
mend() {
	[ -L "$mark" ] || return 0
	case $(readlink -n -- "$mark") in
	swap) there "$name" || ! there "$held" || place "$held" "$name" ;;
	back) there "$name" || ! there "$old" || place "$old" "$name" ;;
	*) return 0 ;;
	esac
	rm -f -- "$mark"
}

replace_back() {
	mend
	look "$name" "$after" "$back"
	if [ "$X" = "$after" ]; then
		! there "$held" || clear_away "$held"
		note_time "$PWD" "$around"
		unchanged
		return
	fi
	look "$name" "$before"
	if [ "$X" != "$before" ]; then
		there "$held" || held=
		foreign "$X" "$held"
		return
	fi
	is_held && trade_back && undone
}

trade_back() {
	if in_one "$held"; then
		try mv -fT -- "$held" "$name"
		return
	fi
	! there "$old" || clear_away "$old"
	try ln -sfT back "$mark" && try mv -T -- "$name" "$old" && place "$held" "$name" || return
	rm -f -- "$mark"
	clear_away "$old"
}

# -- there was something, there shall be nothing

delete() {
	look "$name" "$before" "$seen"
	[ "$X" != - ] || { unchanged; return; }
	[ "$X !" != "$before" ] || { no not_empty "$(names "$name")"; return; }
	[ "$X" = "$before" ] || { foreign; return; }
	! there "$held" || { foreign "$X" "$held"; return; }
	put_in_slot || return
	case $before in *' !') ;; *) made; return ;; esac
	[ -n "$(names "$held")" ] || { made; return; }
	place "$held" "$name"
	no not_empty "$(names "$name")"
}

unmake() {
	look "$name" "$before"
	[ "$X" != - ] || { note_time "$PWD" "$around"; unchanged; return; }
	[ "$X" = "$before" ] || { foreign; return; }
	case $before in
	4*' * '*) ;;
	4*) rmdir -- "$name" 2>/dev/null && undone && return
		SAID=$(names "$name")
		if [ -n "$SAID" ]; then no not_empty "$SAID"; else try rmdir -- "$name"; fi
		return ;;
	esac
	! there "$held" || clear_away "$held"
	put_in_slot && undone
}

# -- another owner or mode for the same object: two calls, so that a mark stands while we are between them

attributes() {
	look "$name" "$after" "$back"
	if [ "$X" = "$after" ]; then
		rm -f -- "$mark"
		unchanged
		return
	fi
	look "$name" "$before" "$seen"
	[ "$X" = "$before" ] || lies_between || { foreign; return; }
	[ -L "$mark" ] || try ln -sT attributes "$mark" || return
	[ -z "$other" ] || try chown -h "$other" -- "$name" || return
	[ -L "$name" ] || try chmod "$plain" -- "$name" || return
	rm -f -- "$mark"
	made
}

lies_between() {
	[ -L "$mark" ] || return 1
	found=${X#"$HEAD"}
	take_head $before
	[ "$found" = "${before#"$HEAD"}" ]
}

# -- the same object under another name

move() {
	find_origin || { no source_not_found "$other/$other_name is not there any more"; return; }
	look "$name" "$after"
	came=$X
	look "$origin" "$after" "$seen"
	if [ "$X" = - ]; then
		[ "$came" != - ] || { no source_not_found "$origin is not there any more"; return; }
		X=$came
		[ "$X" = "$after" ] && unchanged || foreign
		return
	fi
	[ "$X" = "$after" ] || { foreign "$X" ''; return; }
	carry "$origin" "$name" "$far_stash/$slot" && made
}

move_back() {
	find_origin || { no parent_not_found "$other is not there any more"; return; }
	look "$origin" "$before" "$back"
	stays=$X
	look "$name" "$before"
	if [ "$X" = - ]; then
		[ "$stays" = "$before" ] || { X=$stays; foreign; return; }
		note_time "$far_dir" "$other_around"
		note_time "$PWD" "$around"
		unchanged
		return
	fi
	[ "$X" = "$before" ] || { foreign; return; }
	if [ "$far_stash" = "$S" ]; then
		place "$name" "$origin" || return
	else
		if [ "$stays" = - ]; then
			there "$far_stash/$slot" || { no before_image_lost "nothing holds the original any more"; return; }
			place "$far_stash/$slot" "$origin" || return
		fi
		! there "$held" || clear_away "$held"
		put_in_slot || return
	fi
	note_time "$far_dir" "$other_around"
	undone
}

find_origin() {
	[ -d "$other/" ] || return
	stash_for "$other"
	far_stash=$S
	far_dir=$(cd -P -- "$other/" && pwd -P)
	origin=${far_dir%/}/$other_name
	stash_for "$dir"
	cd -P -- "$dir/"
}

# carry FROM TO SLOT: one rename, or between file systems a complete copy and then the original into its slot
carry() {
	if [ "$far_stash" = "$S" ]; then
		! there "$2" || { look "$2" "$after"; foreign; return; }
		place "$1" "$2"
		return
	fi
	if ! there "$2"; then
		! there "$part" || clear_away "$part"
		try cp -a -T -- "$1" "$part" && try flush "$S" && place "$part" "$2" || return
	fi
	try mv -T -- "$1" "$3"
}
