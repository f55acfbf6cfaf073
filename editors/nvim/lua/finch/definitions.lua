--- Asks the other language servers of a buffer what names mean, and remembers the answers until a
--- document changes that they are about.

local clients = require('finch.client')
local encoding = require('finch.encoding')
local surroundings = require('finch.surroundings')

local M = {}

local method = 'textDocument/definition'
local deadline_ms = 500
local answers_max = 200
-- Servers that are asked about a name.
local servers_max = 2
-- Larger documents are left alone.
local file_bytes_max = 1024 * 1024
-- More than any head has.
local buffer_rows_max = 32

---@class finch.Meaning
---@field place finch.Place|false false: no server knows
---@field about string the document whose change makes it doubtful
---@field used integer

local meanings = {} ---@type table<string, finch.Meaning>
local count, clock = 0, 0

---@param key string
---@return finch.Meaning?
local function recall(key)
  local meaning = meanings[key]
  if meaning then
    clock = clock + 1
    meaning.used = clock
  end
  return meaning
end

---@param key string
---@param place finch.Place|false
---@param about string
local function remember(key, place, about)
  if not meanings[key] then
    count = count + 1
  end
  clock = clock + 1
  meanings[key] = { place = place, about = about, used = clock }
  if count > answers_max then
    local oldest
    for other, meaning in pairs(meanings) do
      if not oldest or meaning.used < meanings[oldest].used then
        oldest = other
      end
    end
    meanings[oldest] = nil
    count = count - 1
  end
end

--- A document has changed; without one, any may have.
---@param uri? string
function M.forget(uri)
  for key, meaning in pairs(meanings) do
    if uri == nil or meaning.about == uri then
      meanings[key] = nil
      count = count - 1
    end
  end
end

--- The text of a file as it is on the disk, unless it is too large or none.
---@param path string
---@param done fun(text: string?)
local function read(path, done)
  done = vim.schedule_wrap(done)
  vim.uv.fs_stat(path, function(_, stat)
    if not stat or stat.type ~= 'file' or stat.size > file_bytes_max then
      return done(nil)
    end
    vim.uv.fs_open(path, 'r', 0, function(_, file)
      if not file then
        return done(nil)
      end
      vim.uv.fs_read(file, stat.size, 0, function(_, text)
        vim.uv.fs_close(file)
        done(text)
      end)
    end)
  end)
end

---@param path string
---@return integer?
local function loaded_buffer(path)
  for _, buf in ipairs(vim.api.nvim_list_bufs()) do
    if vim.api.nvim_buf_is_loaded(buf) and vim.api.nvim_buf_get_name(buf) == path then
      return buf
    end
  end
end

--- The head of what begins at a range of a document.
---@param uri string
---@param range table lsp.Range
---@param done fun(text: string?)
local function read_head(uri, range, done)
  local first, last = range.start.line, range['end'].line
  -- Of what is one line long only the name is known, not the end.
  local rows_max = last > first and last - first + 1 or math.huge
  local function tell(lines)
    local head = surroundings.head_of(vim.list_slice(lines, 1, math.min(rows_max, #lines)))
    local is_text = not head:find('\0', 1, true) and encoding.is_utf8(head)
    done(is_text and head or nil)
  end
  if not vim.startswith(uri, 'file:') then
    return done(nil)
  end
  local path = vim.uri_to_fname(uri)
  local buf = loaded_buffer(path)
  if buf then
    return tell(vim.api.nvim_buf_get_lines(buf, first, first + buffer_rows_max, false))
  end
  read(path, function(text)
    local lines = vim.split(text or '', '\r?\n')
    tell(vim.list_slice(lines, first + 1, #lines))
  end)
end

--- Where the first answer points to.
---@param result any
---@return string? uri
---@return table? range
local function target(result)
  local first = type(result) == 'table' and (result[1] or result) or {}
  return first.targetUri or first.uri, first.targetRange or first.range
end

---@param buf integer
---@return vim.lsp.Client[]
local function servers(buf)
  local others = vim.tbl_filter(function(client)
    return client.name ~= 'finch' and clients.supports(client, method, buf)
  end, vim.lsp.get_clients({ bufnr = buf }))
  return vim.list_slice(others, 1, servers_max)
end

--- Ask one server about one name.
---@param client vim.lsp.Client
---@param buf integer
---@param name finch.Name
---@param done fun(place: finch.Place?, err: table?)
---@return fun() cancel
local function ask(client, buf, name, done)
  local line = vim.api.nvim_buf_get_lines(buf, name.row, name.row + 1, false)[1] or ''
  local params = {
    textDocument = vim.lsp.util.make_text_document_params(buf),
    position = { line = name.row, character = encoding.units(line:sub(1, name.col), client.offset_encoding) },
  }
  local sent, id = clients.request(client, method, params, function(err, result)
    local uri, range = target(result)
    if err or not uri or not range then
      return done(nil, err)
    end
    read_head(uri, range, function(text)
      -- As Neovim writes it: servers differ in what they escape.
      local written = text and vim.uri_from_fname(vim.uri_to_fname(uri))
      done(written and { uri = written, row = range.start.line, text = text } or nil)
    end)
  end, buf)
  if not sent then
    vim.schedule(function()
      done(nil, { message = 'the server is gone' })
    end)
  end
  return function()
    if sent and id then
      clients.cancel(client, id)
    end
  end
end

--- Look up names. `done` is called with what is known when time is up and when all are answered, and
--- not after `cancel`.
---@param buf integer
---@param names finch.Name[]
---@param done fun(found: {name: string, place: finch.Place}[])
---@return fun() cancel
function M.find(buf, names, done)
  local uri = vim.uri_from_bufnr(buf)
  local cancels, open, over = {}, 0, false
  local function key(name)
    return uri .. ' ' .. name.text
  end
  local function tell()
    local found = {}
    for _, name in ipairs(names) do
      local meaning = recall(key(name))
      if meaning and meaning.place then
        found[#found + 1] = { name = name.text, place = meaning.place }
      end
    end
    done(found)
  end
  local function answered(name, place, err)
    open = open - 1
    if over then
      -- After an edit an answer may be about another text.
      return
    end
    local known = meanings[key(name)]
    -- What failed may go well another time.
    if not err and not (known and known.place) then
      remember(key(name), place or false, place and place.uri or uri)
    end
    if open == 0 then
      tell()
    end
  end
  local asked = servers(buf)
  for _, name in ipairs(names) do
    for _, client in ipairs(recall(key(name)) and {} or asked) do
      open = open + 1
      cancels[#cancels + 1] = ask(client, buf, name, function(place, err)
        answered(name, place, err)
      end)
    end
  end
  if open == 0 then
    tell()
    return function() end
  end
  vim.defer_fn(function()
    if open > 0 and not over then
      tell()
    end
  end, deadline_ms)
  return function()
    over = true
    for _, cancel in ipairs(open > 0 and cancels or {}) do
      cancel()
    end
  end
end

return M
