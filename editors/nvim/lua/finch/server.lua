--- Which buffers finch serves, and the server that serves them: start, attach, stop, restart. One
--- server runs for each workspace; a file outside any workspace shares one with its like.

local agent = require('finch.agent')
local answers = require('finch.answers')
local clients = require('finch.client')
local config = require('finch.config')
local context = require('finch.context')
local documents = require('finch.documents')
local keymaps = require('finch.keymaps')
local status = require('finch.status')
local suggestion = require('finch.suggestion')

local M = {}

local stop_ms_max = 3000

local told_missing = false
local stopping = {} ---@type table<integer, boolean> servers that were asked to go
local replacing = {} ---@type table<integer, boolean> of these, servers that another one follows

--- What to do about a missing program.
---@return string
function M.how_to_install()
  return ('"%s" is not on your PATH: install the finch program (see its README), run `finch setup`, '):format(
    config.get().cmd[1]
  ) .. "or name it with require('finch').setup({ cmd = { '/path/to/finch', 'lsp' } })"
end

--- Whether the server's program is there to be run.
---@return boolean
function M.is_installed()
  return vim.fn.executable(config.get().cmd[1]) == 1
end

--- Why finch leaves a buffer alone, or nil if it serves it.
---@param buf integer
---@return string?
function M.why_not(buf)
  local options = config.get()
  local name = vim.api.nvim_buf_get_name(buf)
  if vim.bo[buf].buftype ~= '' or not vim.bo[buf].modifiable then
    return 'it is not an ordinary file'
  elseif name == '' then
    return 'it has no file name'
  elseif name:find('^%a[%w+.-]+://') then
    return 'it is not a local file'
  elseif vim.tbl_contains(options.filetypes_excluded, vim.bo[buf].filetype) then
    return ('filetype "%s" is excluded'):format(vim.bo[buf].filetype)
  end
  local bytes = vim.api.nvim_buf_get_offset(buf, vim.api.nvim_buf_line_count(buf))
  if bytes > options.file_bytes_max then
    return ('it has %d bytes, more than the %d of file_bytes_max'):format(bytes, options.file_bytes_max)
  elseif options.attach and not options.attach(buf) then
    return 'your "attach" function says no'
  end
end

---@return table lsp.ClientCapabilities
local function capabilities()
  local wanted = vim.lsp.protocol.make_client_capabilities()
  wanted.textDocument.inlineCompletion = { dynamicRegistration = false }
  return wanted
end

---@param client_id integer
---@param how string
local function on_exit(client_id, how)
  vim.schedule(function()
    local asked_to, followed = stopping[client_id], replacing[client_id]
    stopping[client_id], replacing[client_id] = nil, nil
    agent.gone(client_id)
    for _, buf in ipairs(vim.api.nvim_list_bufs()) do
      if vim.b[buf].finch_client == client_id then
        vim.b[buf].finch_client = nil
        suggestion.detach(buf)
        keymaps.detach(buf)
        context.detach(buf)
      end
    end
    if asked_to or vim.v.exiting ~= vim.NIL then
      status.gone(client_id)
      if followed and vim.v.exiting == vim.NIL then
        -- Neovim 0.10 takes the client off its list after this.
        vim.schedule(M.consider_all)
      end
      return
    end
    status.gone(client_id, 'stopped')
    vim.notify(('finch: the server ended with %s (:Finch log, :Finch restart)'):format(how), vim.log.levels.WARN)
  end)
end

--- What the user says, and what this client can do.
---@return table
local function init_options()
  local ours = { finch = { client = agent.capabilities } }
  return vim.tbl_deep_extend('force', config.get().init_options, ours)
end

---@param root string?
---@return vim.lsp.ClientConfig
local function client_config(root)
  local options = config.get()
  local session, ended = {}, ''
  return {
    name = 'finch',
    root_dir = root,
    capabilities = capabilities(),
    init_options = init_options(),
    commands = agent.commands,
    cmd = function(dispatchers)
      local watched = vim.tbl_extend('force', dispatchers, {
        on_exit = function(code, signal)
          ended = signal ~= 0 and ('signal %d'):format(signal) or ('code %d'):format(code)
          -- Neovim would warn too, and two messages make the user press Enter.
          dispatchers.on_exit(0, 0)
        end,
      })
      local rpc = vim.lsp.rpc.start(options.cmd, watched, { cwd = root, env = options.env })
      return answers.watch(rpc, session)
    end,
    handlers = vim.tbl_extend('error', agent.handlers, {
      ['finch/status'] = function(_, params, ctx)
        status.receive(params, ctx.client_id)
      end,
    }),
    on_init = function(client)
      session.client_id = client.id
      session.encoding = client.offset_encoding
    end,
    on_attach = function(client, buf)
      vim.b[buf].finch_client = client.id
      suggestion.attach(buf)
      keymaps.attach(buf)
      context.attach(buf)
      agent.attach(buf)
    end,
    on_exit = function(_, _, client_id)
      on_exit(client_id, ended)
    end,
  }
end

--- Serve a buffer if it is one finch serves.
---@param buf integer
function M.consider(buf)
  if not vim.api.nvim_buf_is_loaded(buf) or vim.b[buf].finch_client or M.why_not(buf) then
    return
  end
  if not M.is_installed() then
    if not told_missing then
      told_missing = true
      vim.notify('finch: ' .. M.how_to_install(), vim.log.levels.WARN)
    end
    return
  end
  local root
  if documents.is_ours(buf) then
    root = documents.root(buf)
  else
    root = vim.fs.root(buf, config.get().root_markers)
  end
  vim.lsp.start(client_config(root), { bufnr = buf })
end

--- Serve every buffer that is to be served and is not.
function M.consider_all()
  for _, buf in ipairs(vim.api.nvim_list_bufs()) do
    M.consider(buf)
  end
end

--- Serve the buffers there are and those that come.
function M.watch_buffers()
  vim.api.nvim_create_autocmd({ 'BufEnter', 'FileType', 'BufFilePost', 'BufWritePost' }, {
    group = vim.api.nvim_create_augroup('finch.buffers', { clear = true }),
    desc = 'finch: attach the language server',
    callback = function(args)
      M.consider(args.buf)
    end,
  })
  M.consider_all()
end

--- Start a server anew without making the user wait for it.
---@param client_id integer
function M.replace(client_id)
  local client = vim.lsp.get_client_by_id(client_id)
  if not client or stopping[client_id] then
    return
  end
  stopping[client_id], replacing[client_id] = true, true
  clients.stop(client)
  vim.defer_fn(function()
    if stopping[client_id] then
      clients.kill(client)
    end
  end, stop_ms_max)
end

--- Stop every server and start what is needed anew.
function M.restart()
  local running = vim.lsp.get_clients({ name = 'finch' })
  for _, client in ipairs(running) do
    stopping[client.id] = true
    clients.stop(client)
  end
  told_missing = false
  local function all_gone()
    return next(stopping) == nil
  end
  if not vim.wait(stop_ms_max, all_gone, 20) then
    for _, client in ipairs(running) do
      clients.kill(client)
    end
    vim.wait(stop_ms_max, all_gone, 20)
  end
  M.consider_all()
end

return M
