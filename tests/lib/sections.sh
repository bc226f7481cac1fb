# Steps of a run with their names and times, one after the other or side by side, and the table at its end. Sourced by tests/run.

# Where the run's times are kept, and those that it is held against: seconds and name, with dependencies compiled, on two cores.
times=$target/test-times
known=tests/times
# So much more than before is said, beyond what two runs on one machine differ by.
more_percent=20
more_seconds=5

step="preparations"
began=$SECONDS
mkdir -p "$target"
: >"$times"
trap 'result=$?; ((result == 0)) || printf "\nFAILED: %s\n" "$step" >&2' EXIT

# section NAME COMMAND...: one step, with a header and its time.
section() {
  step=$1
  shift
  local since=$SECONDS
  printf '\n==== %s\n' "$step"
  "$@"
  took "$step" $((SECONDS - since))
}

# together NAME COMMAND -- NAME COMMAND...: steps that do not compete, side by side. What each prints follows when all have ended.
together() {
  local names=() pids=() logs=() failed=() index=0 log name
  while (($#)); do
    name=$1
    shift
    local command=()
    while (($#)) && [[ $1 != -- ]]; do command+=("$1"); shift; done
    (($# == 0)) || shift
    log=$(mktemp)
    (
      since=$SECONDS
      trap - EXIT
      "${command[@]}"
      printf '%s' $((SECONDS - since)) >"$log.time"
    ) >"$log" 2>&1 &
    names+=("$name") pids+=($!) logs+=("$log")
    printf '\n==== %s (beside others)\n' "$name"
  done
  for index in "${!names[@]}"; do
    wait "${pids[index]}" || failed+=("${names[index]}")
    printf '\n==== what “%s” printed\n' "${names[index]}"
    cat "${logs[index]}"
    [[ ! -f ${logs[index]}.time ]] || took "${names[index]}" "$(<"${logs[index]}.time")"
    rm -f "${logs[index]}" "${logs[index]}.time"
  done
  if ((${#failed[@]} > 0)); then
    printf -v step '%s, ' "${failed[@]}"
    step=${step%, }
    return 1
  fi
}

took() {
  printf -- '---- %s: %s s\n' "$1" "$2"
  printf '%s\t%s\n' "$2" "$1" >>"$times"
}

# The run's times beside those of before, and what has grown.
table_of_times() {
  local total=$((SECONDS - began)) seconds name before
  local grown=()
  printf '\n%9s %9s\n' "this run" "$known"
  while IFS=$'\t' read -r seconds name; do
    before=$(awk -F '\t' -v name="$name" '$2 == name { print $1 }' "$known" 2>/dev/null || true)
    printf '%7s s %7s s  %s\n' "$seconds" "${before:--}" "$name"
    if [[ -n $before ]] && ((seconds > before + more_seconds && 100 * seconds > (100 + more_percent) * before)); then
      grown+=("“$name” took $seconds s instead of $before s")
    fi
  done <"$times"
  printf '%7s s %9s  in all; what ran side by side counts once\n' "$total" ""
  if ((${#grown[@]} > 0)); then
    printf '\nGrown by more than %s %% (if it is worth it: cp %s %s):\n' "$more_percent" "$times" "$known"
    printf '  %s\n' "${grown[@]}"
  fi
  step="the end"
  printf '\nEverything passed in %s min %s s.\n' $((total / 60)) $((total % 60))
}
