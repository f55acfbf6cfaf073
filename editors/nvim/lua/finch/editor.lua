--- What the agent has the editor do: save buffers without a question, and tell the diagnostics of the
--- other language servers once they have stood still.

local clients = require('finch.client')
local encoding = require('finch.encoding')

local M = {}

-- How long diagnostics must stand still, and how long that is waited for.
local quiet_ms, quiet_ms_max = 500, 5000
-- Diagnostics that are told at most, errors first.
local diagnostics_max = 500

--- What `:write` would ask the user about, or nil.
---@param buf integer
---@return string?
local function conflict(buf)
  local found
  local id = vim.api.nvim_create_autocmd('FileChangedShell', {
    buffer = buf,
    callback = function()
      found = vim.v.fcs_reason
      vim.v.fcs_choice = ''
    end,
  })
  vim.cmd.checktime(buf)
  vim.api.nvim_del_autocmd(id)
  if found == 'conflict' or found == 'changed' then
    return 'the file has changed on the disk too'
  end
end

---@param uri string
---@return string? reason why it is not saved
local function save_one(uri)
  local buf = vim.uri_to_bufnr(uri)
  vim.fn.bufload(buf)
  if not vim.bo[buf].modified then
    return nil
  end
  local why = conflict(buf)
  if why then
    return why
  end
  local ok, err = pcall(vim.api.nvim_buf_call, buf, function()
    vim.cmd('silent write ++p')
  end)
  if not ok then
    return tostring(err):gsub('^.-Vim%(write%):', '')
  end
  return vim.bo[buf].modified and 'Neovim did not write it' or nil
end

--- Handles `finch/save`.
---@param uris string[]
---@return table
function M.save(uris)
  local failed = {}
  for _, uri in ipairs(uris) do
    local ok, reason = pcall(save_one, uri)
    if not ok or reason then
      failed[#failed + 1] = { uri = uri, reason = tostring(reason) }
    end
  end
  return { failed = failed }
end

--- Where a diagnostic is, as the server counts.
---@param buf integer
---@param found vim.Diagnostic
---@param units string the server's encoding
---@return table lsp.Range
function M.range_of(buf, found, units)
  local function place(row, col)
    local line = vim.api.nvim_buf_is_loaded(buf) and vim.api.nvim_buf_get_lines(buf, row, row + 1, false)[1]
    return { line = row, character = line and encoding.units(line:sub(1, col), units) or col }
  end
  return {
    start = place(found.lnum, found.col),
    ['end'] = place(found.end_lnum or found.lnum, found.end_col or found.col),
  }
end

--- The diagnostics that there are, of these documents or of all.
---@param client vim.lsp.Client who is told
---@param uris? string[]
---@return table
function M.diagnostics_now(client, uris)
  local wanted = {}
  for _, uri in ipairs(uris or {}) do
    wanted[vim.uri_to_bufnr(uri)] = true
  end
  local told = {}
  local all = vim.diagnostic.get(nil)
  table.sort(all, function(a, b)
    return a.severity < b.severity
  end)
  for _, found in ipairs(all) do
    if #told < diagnostics_max and (not uris or wanted[found.bufnr]) then
      told[#told + 1] = {
        uri = vim.uri_from_bufnr(found.bufnr),
        range = M.range_of(found.bufnr, found, client.offset_encoding),
        severity = found.severity,
        message = found.message,
        source = found.source,
      }
    end
  end
  return { diagnostics = told }
end

--- Handles `finch/diagnostics`: calls `reply` once they have stood still.
---@param client_id integer
---@param uris? string[]
---@param reply fun(result: any)
function M.diagnostics(client_id, uris, reply)
  local begun, last = vim.uv.now(), vim.uv.now()
  local id = vim.api.nvim_create_autocmd('DiagnosticChanged', {
    callback = function()
      last = vim.uv.now()
    end,
  })
  local function look()
    local now = vim.uv.now()
    local left = math.min(last + quiet_ms, begun + quiet_ms_max) - now
    if left > 0 then
      return vim.defer_fn(look, left)
    end
    vim.api.nvim_del_autocmd(id)
    local client = vim.lsp.get_client_by_id(client_id)
    reply(client and M.diagnostics_now(client, uris) or vim.NIL)
  end
  look()
end

--- A range of lines, from 1, as the server counts.
---@param buf integer
---@param first integer
---@param last integer
---@return table lsp.Range
function M.lines_range(buf, first, last)
  local client = clients.near(buf)
  local line = vim.api.nvim_buf_get_lines(buf, last - 1, last, false)[1] or ''
  local character = encoding.units(line, client and client.offset_encoding or 'utf-16')
  return { start = { line = first - 1, character = 0 }, ['end'] = { line = last - 1, character = character } }
end

return M
