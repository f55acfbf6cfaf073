#!/usr/bin/env bash
# capture-screen.sh [PICTURE]: a picture of real ghost text in a real Neovim, by default docs/ghost-text.svg.
# Opens tests/fixtures/demo.py, types at the end of the unfinished function, waits for the model and its suggestion,
# and draws what the terminal shows. Needs tmux, python3, a built finch and a model, which are found by
#   FINCH        the finch program (target/release/finch)        FINCH_HOME       with a model
#   FINCH_TEST_NVIM  the prefix of a Neovim (target/test-tools/nvim)
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
picture=${1:-$root/docs/ghost-text.svg}
finch=${FINCH:-$root/target/release/finch}
prefix=${FINCH_TEST_NVIM:-$root/target/test-tools/nvim}
seconds_max=${FINCH_CAPTURE_SECONDS:-120}
columns=80 rows=20

fail() {
  echo "capture-screen.sh: $*" >&2
  exit 1
}

[ -x "$finch" ] || fail "$finch is missing: cargo build --release -p finch"
[ -x "$prefix/usr/bin/nvim" ] || fail "no Neovim under $prefix: tests/support/install-neovim.sh"
export FINCH_HOME=${FINCH_HOME:-$HOME/.finch} FINCH_DAEMON=off

work=$(mktemp -d)
tmux() { command tmux -u -S "$work/tmux" -f "$work/tmux.conf" "$@"; }
trap 'tmux kill-server 2>/dev/null || true; rm -rf "$work"' EXIT
export XDG_CONFIG_HOME=$work/config XDG_DATA_HOME=$work/data XDG_STATE_HOME=$work/state XDG_CACHE_HOME=$work/cache
export VIMRUNTIME=$prefix/usr/share/nvim/runtime COLORTERM=truecolor LC_ALL=C.UTF-8
export NVIM_LOG_FILE=$work/nvim.log
unset TMUX NVIM

cp "$root/tests/fixtures/demo.py" "$work/demo.py"
printf '%s\n' 'set -g default-terminal tmux-256color' 'set -g status off' >"$work/tmux.conf"
cat >"$work/init.lua" <<LUA
vim.opt.runtimepath:prepend('$root/editors/nvim')
vim.o.swapfile, vim.o.ruler, vim.o.number, vim.o.background = false, false, true, 'dark'
vim.o.laststatus, vim.o.showmode, vim.o.showcmd = 2, false, false
vim.o.statusline = ' %t%=%{v:lua.require("finch").status()} '
require('finch').setup({ cmd = { '$finch', 'lsp' } })
LUA

ask() { "$prefix/usr/bin/nvim" --server "$work/socket" --remote-expr "$1" 2>/dev/null || true; }

# wait_for EXPRESSION PATTERN WHAT
wait_for() {
  local until=$((SECONDS + seconds_max))
  while ! [[ $(ask "$1") =~ $2 ]]; do
    [ "$SECONDS" -lt "$until" ] || fail "$3 did not come: $(ask "luaeval('require(\"finch\").status()')")"
    sleep 0.1
  done
}

tmux new-session -d -x "$columns" -y "$rows" -c "$work" \
  "$prefix/usr/bin/nvim" --listen "$work/socket" -u "$work/init.lua" "$work/demo.py"
wait_for 'get(b:, "finch_client", 0)' '^[1-9]' 'the server'
wait_for 'luaeval("(require([[finch.status]]).latest() or {}).state")' '^ready$' 'the model'
ask 'search("^ \\+$") .. execute("normal! zz")' >/dev/null
tmux send-keys 'A'
wait_for 'luaeval("require([[finch]]).text() or [[]]")' '[^[:space:]]' 'the suggestion'
ask 'execute("redraw!")' >/dev/null
tmux capture-pane -p -e | python3 "$root/tests/support/screen_to_svg.py" "$columns" >"$work/picture.svg"
mv "$work/picture.svg" "$picture"
echo "$picture: $(ask 'luaeval("require([[finch]]).text()")' | head -n 1)"
