# Sets `python` to a Python 3.11 or newer.
# In an empty environment the shell has a PATH but passes none on, and Python does not find itself.
export PATH
python=
for candidate in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11; do
  if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
    python=$candidate
    break
  fi
done
if [ -z "$python" ]; then
  echo "This needs Python 3.11 or newer, as python3 on the PATH or in PYTHON=…" >&2
  exit 1
fi
