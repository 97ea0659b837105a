# The dead man's switch of a run: `remote/switch.py` in these words. What it has to undo is held in its memory only. Its
# folder is `armed` with a deadline in it, on the clock since the host started; who extends writes there, who disarms or
# fires gives the folder another name. Who fires looks once more after that, so that no extension is ever lost.

switch_of() { armed=$H/.runs/$1.armed fired=$H/.runs/$1.fired; }

hundredths() { read -r up _ </proc/uptime && printf %s "${up%.*}${up#*.}"; }

# set_deadline SECONDS
set_deadline() {
	printf '%s\n' $(($(hundredths) + $1 * 100)) 2>/dev/null >"$armed/deadline.new" &&
		mv -f -- "$armed/deadline.new" "$armed/deadline" 2>/dev/null
}

is_due() { read -r deadline 2>/dev/null <"$1/deadline" && [ "$(hundredths)" -ge "$deadline" ]; }

# prepare_switch SLOT SECONDS NUMBER: the number tells it from one that was armed for the same run before
prepare_switch() {
	switch_of "$1"
	if [ -d "$fired" ]; then printf fired; end; return 1; fi
	rm -rf -- "$armed"
	mkdir -- "$armed" && : >"$armed/is-$3" && set_deadline "$2"
}

# watch SLOT NUMBER: in a process of its own
watch() {
	trap '' HUP INT TERM
	cd /
	switch_of "$1"
	while :; do
		[ -e "$armed/is-$2" ] || exit 0
		is_due "$armed" && mv -T -- "$armed" "$fired" 2>/dev/null || { nap; continue; }
		! is_due "$fired" || break
		mv -T -- "$fired" "$armed"
	done
	: >"$fired/begun"
	: >"$fired/undone"
	take_back >"$fired/said" 2>&1
	mv -f -- "$fired/undone" "$fired/result"
	leave
}

nap() { sleep 0.2 2>/dev/null || sleep 1; }

# is_begun SLOT: has this command been run?
is_begun() { [ -e "$fired/begun-$1" ]; }
undid() { printf '%s\0' "$1" >>"$fired/undone"; }

# heard: what the switch came to; waits for one that is at work, or has died over it. One that fired in vain is armed again.
heard() {
	left=1200
	while [ -d "$fired" ] && [ ! -e "$fired/result" ] && [ "$left" -gt 0 ]; do
		pause
		left=$((left - 1))
	done
	[ -d "$fired" ]
}

# extend SLOT SECONDS
extend() {
	switch_of "$1"
	while [ -d "$armed" ] || [ -d "$fired" ]; do
		if set_deadline "$2"; then printf armed; end; end; return; fi
		heard || { pause; continue; }
		printf fired
		end
		[ ! -e "$fired/result" ] || cat -- "$fired/result"
		end
		return
	done
	printf absent
	end
	end
}

disarm() {
	switch_of "$1"
	while [ -d "$armed" ] || [ -d "$fired" ]; do
		rm -rf -- "$armed.off" # of one that was ended while it disarmed
		if mv -T -- "$armed" "$armed.off" 2>/dev/null; then
			rm -rf -- "$armed.off"
			printf disarmed
			end
			return
		fi
		heard || { pause; continue; }
		rm -rf -- "$fired"
		printf fired
		end
		return
	done
	printf absent
	end
}

# note SLOT STEP BEGUN: a command is about to be run, or was taken back
note() {
	switch_of "$1"
	[ -d "$armed" ] || return 0
	if [ -n "$3" ]; then : >"$armed/begun-$2"; else rm -f -- "$armed/begun-$2"; fi
}
