--- The agent's own documents: plans, reviews and answers, which are files under FINCH_HOME. It knows
--- which workspace's server each belongs to, shows them beside the code, reloads them when the server
--- has written them anew, and shows the code lenses on them.

local config = require('finch.config')

local M = {}

local folders = { 'plans', 'reviews', 'answers' }

local roots = {} ---@type table<string, {dir: string?}> by path: the workspace of the server that told of it
local told = {} ---@type table<integer, boolean> buffers of which it was said that finch changed them too

---@return string
local function home()
  local set = config.get().env.FINCH_HOME or vim.env.FINCH_HOME
  return vim.fs.normalize(set and set ~= '' and set or '~/.finch')
end

---@param path string
---@return string
local function resolved(path)
  return vim.fs.normalize(vim.uv.fs_realpath(path) or path)
end

---@param uri string
---@return string
local function path_of(uri)
  return resolved(vim.uri_to_fname(uri))
end

--- Remember whose document it is.
---@param uri string
---@param client_id integer
function M.remember(uri, client_id)
  local client = vim.lsp.get_client_by_id(client_id)
  if client and vim.startswith(uri, 'file:') then
    roots[path_of(uri)] = { dir = client.config.root_dir }
  end
end

--- Whether a buffer is one of the agent's documents.
---@param buf integer
---@return boolean
function M.is_ours(buf)
  local name = vim.api.nvim_buf_get_name(buf)
  if name == '' then
    return false
  end
  local path = resolved(name)
  if roots[path] then
    return true
  end
  local below = resolved(home()) .. '/'
  return vim.iter(folders):any(function(folder)
    return vim.startswith(path, below .. folder .. '/')
  end)
end

--- The workspace whose server serves one of the agent's documents. Of one that no server has told of it
--- is that of the server that runs, or of the folder Neovim is in.
---@param buf integer
---@return string?
function M.root(buf)
  local known = roots[resolved(vim.api.nvim_buf_get_name(buf))]
  if known then
    return known.dir
  end
  local running = vim.lsp.get_clients({ name = 'finch' })
  if #running == 1 then
    return running[1].config.root_dir
  end
  return vim.fs.root(vim.fn.getcwd(), config.get().root_markers)
end

--- Ask for the code lenses of a document anew.
---@param buf integer
function M.refresh(buf)
  if not vim.lsp.codelens.enable and vim.api.nvim_buf_is_loaded(buf) then
    vim.lsp.codelens.refresh({ bufnr = buf })
  end
end

--- Neovim draws lenses above their line, and makes room above the first line in the current window only.
---@param buf integer
local function make_room(buf)
  vim.cmd.redraw()
  for _, win in ipairs(vim.fn.win_findbuf(buf)) do
    vim.api.nvim_win_call(win, function()
      if vim.fn.line('w0') == 1 then
        vim.fn.winrestview({ topfill = 1 })
      end
    end)
  end
end

--- Show the code lenses of a document that the server has begun to serve.
---@param buf integer
function M.attach(buf)
  if not M.is_ours(buf) then
    return
  end
  local group = vim.api.nvim_create_augroup('finch.documents.' .. buf, { clear = true })
  if vim.lsp.codelens.enable then
    vim.api.nvim_create_autocmd('LspRequest', {
      group = group,
      buffer = buf,
      callback = function(args)
        local request = args.data.request
        if request.type == 'complete' and request.method == 'textDocument/codeLens' then
          vim.schedule(function()
            make_room(buf)
          end)
        end
      end,
    })
    return vim.lsp.codelens.enable(true, { bufnr = buf })
  end
  vim.api.nvim_create_autocmd({ 'BufEnter', 'InsertLeave', 'TextChanged' }, {
    group = group,
    buffer = buf,
    callback = function()
      M.refresh(buf)
    end,
  })
  M.refresh(buf)
end

--- The server has written a document anew: show it, unless the user has changed it.
---@param uri string
function M.changed(uri)
  local buf = vim.fn.bufnr(vim.uri_to_fname(uri))
  if buf < 0 or not vim.api.nvim_buf_is_loaded(buf) then
    return
  end
  if vim.bo[buf].modified then
    if not told[buf] then
      told[buf] = true
      local name = vim.fs.basename(vim.api.nvim_buf_get_name(buf))
      vim.notify(('finch has changed %s, which you have changed too: :write! keeps yours, :edit! takes its'):format(name), vim.log.levels.WARN)
    end
    return
  end
  told[buf] = nil
  vim.bo[buf].autoread = true
  vim.cmd.checktime(buf)
  M.refresh(buf)
end

--- Handles `window/showDocument`: in the window that shows it already, else in a new one. The cursor goes
--- there only if the server asks for it and nothing is being typed.
---@param params table
---@return table
function M.show(params, client_id)
  if params.external then
    local command = vim.ui.open(params.uri)
    return { success = command ~= nil }
  end
  M.remember(params.uri, client_id)
  local buf = vim.uri_to_bufnr(params.uri)
  vim.fn.bufload(buf)
  vim.bo[buf].buflisted = true
  local focus = params.takeFocus == true and vim.api.nvim_get_mode().mode == 'n'
  local win = vim.fn.win_findbuf(buf)[1]
  if win then
    if focus then
      vim.api.nvim_set_current_win(win)
    end
  else
    win = vim.api.nvim_open_win(buf, focus, { split = 'below' })
  end
  if params.selection then
    local at = params.selection.start
    local row = math.min(at.line + 1, vim.api.nvim_buf_line_count(buf))
    vim.api.nvim_win_set_cursor(win, { row, 0 })
  end
  -- Opened without going there, it has not been considered yet.
  require('finch.server').consider(buf)
  return { success = true }
end

return M
