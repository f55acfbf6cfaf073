--- `:checkhealth finch`: what works, what does not, and what to do about it.

local config = require('finch.config')
local keymaps = require('finch.keymaps')
local server = require('finch.server')
local status = require('finch.status')

local M = {}

local version_ms_max = 5000

local function check_neovim()
  local version = tostring(vim.version())
  if vim.fn.has('nvim-0.10') == 0 then
    return vim.health.error(('Neovim %s is too old'):format(version), 'install Neovim 0.10 or newer')
  end
  local drawn = config.native() and "Neovim's own inline completion" or "finch's own ghost text"
  vim.health.ok(('Neovim %s, suggestions are shown by %s'):format(version, drawn))
  if config.get().ghost == 'native' and not config.native() then
    vim.health.warn('ghost = "native" needs Neovim 0.12; finch draws by itself', 'remove the option or update Neovim')
  end
end

local function check_program()
  local cmd = config.get().cmd
  if not server.is_installed() then
    return vim.health.error(server.how_to_install())
  end
  local path = vim.fn.exepath(cmd[1])
  local ran, out = pcall(function()
    return vim.system({ cmd[1], '--version' }, { text = true, timeout = version_ms_max }):wait()
  end)
  if ran and out.code == 0 then
    vim.health.ok(('%s: %s'):format(path, vim.trim(out.stdout):match('[^\n]*')))
  else
    vim.health.warn(('%s does not answer --version'):format(path), 'check the option "cmd"')
  end
end

---@param buf integer
local function check_server(buf)
  local clients = vim.lsp.get_clients({ name = 'finch' })
  if #clients == 0 then
    return vim.health.warn('no server is running', 'open a file, or see :Finch log')
  end
  for _, client in ipairs(clients) do
    local buffers = vim.tbl_count(client.attached_buffers)
    vim.health.ok(('server %d serves %d buffer(s), root %s, positions in %s'):format(
      client.id, buffers, client.config.root_dir or 'none', client.offset_encoding
    ))
    if not client.server_capabilities.inlineCompletionProvider then
      vim.health.error('the server offers no inline completion', 'check the option "cmd"')
    end
  end
  local reason = buf > 0 and not vim.b[buf].finch_client and server.why_not(buf)
  if reason then
    vim.health.info('the buffer you came from is not served: ' .. reason)
  end
end

local function check_model()
  local params = status.latest()
  local lines = table.concat(status.lines(), '\n')
  if params and (params.state == 'failed' or params.state == 'absent') then
    vim.health.error(lines, params.next)
  elseif params and params.state == 'ready' then
    vim.health.ok(lines)
  else
    vim.health.info(lines)
  end
end

---@param buf integer
local function check_keys(buf)
  if buf <= 0 or not vim.b[buf].finch_client then
    return vim.health.info('keys are set in buffers that finch serves')
  end
  local conflicts = keymaps.conflicts(buf)
  for _, conflict in ipairs(conflicts) do
    vim.health.warn(conflict, 'choose another key with the option "keys"')
  end
  if #conflicts == 0 then
    vim.health.ok('no other mapping hides the keys of finch')
  end
end

--- Called by Neovim.
function M.check()
  local buf = vim.fn.bufnr('#')
  vim.health.start('finch: editor')
  check_neovim()
  if not config.is_set() then
    return vim.health.error("setup has not run", "call require('finch').setup() in your configuration")
  end
  vim.health.start('finch: program')
  check_program()
  vim.health.start('finch: server')
  check_server(buf)
  vim.health.start('finch: model')
  check_model()
  vim.health.start('finch: keys')
  check_keys(buf)
end

return M
