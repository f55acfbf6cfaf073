--- What of the editor's knowledge is worth telling the server: which names to look up, how much of a
--- definition, which diagnostics. Looks at what it is given and at nothing else.

local M = {}

local names_max = 12
local name_chars_min = 3
-- A longer line was written by a machine.
local line_bytes_max = 1000
-- Within so many lines of the cursor a definition stands in the prompt anyway.
local near_lines = 40
local definition_lines_max = 12
local definition_chars_max = 2000
-- As many as the server takes.
local diagnostics_max = 256
local message_chars_max = 300

--- Lines above the cursor's that names are taken from.
M.lines_above = 20

---@class finch.Name
---@field text string
---@field row integer 0-based
---@field col integer bytes

---@class finch.Place
---@field uri string
---@field row integer 0-based
---@field text string

---@param line string
---@param row integer
---@return finch.Name[]
local function names_of(line, row)
  local names = {}
  if #line > line_bytes_max then
    return names
  end
  -- Bytes outside ASCII are taken for letters.
  for at, word in line:gmatch('()%f[%w_$\128-\255]([%w_$\128-\255]+)') do
    if not word:find('^%d') and vim.fn.strchars(word) >= name_chars_min then
      names[#names + 1] = { text = word, row = row, col = at - 1 }
    end
  end
  return names
end

--- The names to look up, the nearest first.
---@param lines string[] the last one is the cursor's
---@param first integer the row of the first
---@param col integer the cursor's
---@return finch.Name[]
function M.names_near(lines, first, col)
  local found, seen = {}, {}
  for at = #lines, 1, -1 do
    local function distance(name)
      if at < #lines then
        return -name.col
      end
      return math.max(0, name.col - col, col - name.col - #name.text)
    end
    local names = names_of(lines[at], first + at - 1)
    table.sort(names, function(a, b)
      return distance(a) < distance(b)
    end)
    for _, name in ipairs(names) do
      if #found < names_max and not seen[name.text] then
        seen[name.text] = true
        found[#found + 1] = name
      end
    end
  end
  return found
end

---@param line string
---@return integer
local function indentation(line)
  return #line:match('^%s*')
end

--- The head of a definition that begins with the first of `lines`.
---@param lines string[]
---@return string
function M.head_of(lines)
  local last = math.min(#lines, definition_lines_max)
  for at = 2, last do
    local line, above = lines[at], lines[at - 1]
    -- What stands behind a blank line and no deeper is the next thing.
    if not above:find('%S') and line:find('%S') and indentation(line) <= indentation(lines[1]) then
      last = at - 1
      break
    end
  end
  local text = table.concat(lines, '\n', 1, last):gsub('%s+$', '')
  return vim.fn.strcharpart(text, 0, definition_chars_max)
end

--- The definitions to tell: of what is far from the cursor, each text once.
---@param found {name: string, place: finch.Place}[]
---@param uri string the document with the cursor
---@param row integer
---@return table[]
function M.definitions_of(found, uri, row)
  local told, texts = {}, {}
  for _, one in ipairs(found) do
    local place = one.place
    local near = place.uri == uri and math.abs(place.row - row) <= near_lines
    if not near and place.text ~= '' and not texts[place.text] then
      texts[place.text] = true
      told[#told + 1] = { name = one.name, uri = place.uri, text = place.text }
    end
  end
  return told
end

--- The diagnostics to tell: errors and warnings, errors first.
---@param all vim.Diagnostic[]
---@return table[]
function M.diagnostics_of(all)
  local warning = vim.diagnostic.severity.WARN
  local chosen = vim.tbl_filter(function(found)
    return found.severity <= warning and found.source ~= 'finch'
  end, all)
  table.sort(chosen, function(a, b)
    if a.severity ~= b.severity then
      return a.severity < b.severity
    end
    return a.lnum < b.lnum
  end)
  local told = {}
  for at = 1, math.min(#chosen, diagnostics_max) do
    local message = vim.fn.strcharpart(chosen[at].message:match('^[^\r\n]*'), 0, message_chars_max)
    told[at] = { line = chosen[at].lnum, message = message }
  end
  return told
end

return M
