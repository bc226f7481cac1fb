# What the tests need and a fresh Debian 12 with Rust and Node lacks. Sourced by tests/run.

install_missing() {
  # program (or file, or pattern of its name) and the Debian package that brings it
  local needed=(
    cc:build-essential          # crates that build C (SQLite, ring)
    chromium:chromium           # browser tests
    firefox-esr:firefox-esr     # browser tests
    ip:iproute2                 # the browsers' own network
    nft:nftables                # the NAT lab's routers
    openssl:openssl             # its certificates
    certutil:libnss3-tools      # makes its browsers know them
    /usr/lib/postgresql:postgresql  # the store's other engine
    "/usr/lib/*/faketime/libfaketime.so.1:libfaketime"  # a server whose clock was moved
    gcore:gdb                   # what a server's memory holds
    pdftoppm:poppler-utils      # the sheet for paper
    nginx:nginx-light           # a proxy in front
    turnutils_uclient:coturn    # foreign clients of the relay: coturn's,
    "/usr/lib/python3.*/ensurepip:python3-venv"  # aioice,
    "/usr/lib/*/gstreamer-1.0/libgstwebrtc.so:gstreamer1.0-plugins-bad"  # webrtcbin and what it is made of
    "/usr/lib/*/gstreamer-1.0/libgstrtpmanager.so:gstreamer1.0-plugins-good"
    "/usr/lib/*/gstreamer-1.0/libgstnice.so:gstreamer1.0-nice"
    "/usr/lib/*/girepository-1.0/GstWebRTC-1.0.typelib:gir1.2-gst-plugins-bad-1.0"
    "/usr/lib/python3/dist-packages/gi/overrides/Gst.py:python3-gst-1.0"
  )
  local missing=() entry
  for entry in "${needed[@]}"; do
    command -v "${entry%%:*}" >/dev/null || compgen -G "${entry%%:*}" >/dev/null || missing+=("${entry##*:}")
  done
  if ((${#missing[@]} > 0)); then
    local root=()
    [[ $EUID -eq 0 ]] || root=(sudo)
    echo "installs ${missing[*]}"
    "${root[@]}" apt-get update -qq
    # The packages' own services are not wanted: the tests start what they need.
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
  fi
  for tool in cargo npm; do
    command -v "$tool" >/dev/null || { echo "$tool is missing: install Rust (rustup) and Node 20 or newer first." >&2; return 1; }
  done
  # npm leaves its own copy of the lock file: as long as the two say the same, nothing is missing.
  if [[ ! node_modules/.package-lock.json -nt package-lock.json ]]; then
    npm ci --no-audit --no-fund
  fi
  python_with foreign-python turn/tests/foreign/requirements.txt
  python_with schema-python tests/schema/requirements.txt
}

# python_with NAME REQUIREMENTS: a Python of its own beside what cargo builds.
python_with() {
  local python=$target/$1 wanted=$2
  if ! cmp -s "$wanted" "$python/requirements.txt"; then
    # Not just any python3: this is the one that python3-venv belongs to.
    /usr/bin/python3 -m venv --clear "$python"
    "$python/bin/pip" install --quiet --disable-pip-version-check -r "$wanted"
    cp "$wanted" "$python/requirements.txt"
  fi
}
