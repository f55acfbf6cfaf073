-- Makes `:Finch` exist as soon as the plugin is on the runtime path. Everything else waits for
-- `require('finch').setup()`, so a package that is only installed costs one command definition.
if vim.g.loaded_finch then
  return
end
vim.g.loaded_finch = true

vim.api.nvim_create_user_command('Finch', function(opts)
  require('finch.commands').run(opts.fargs, opts.bang)
end, {
  nargs = '*',
  bang = true,
  desc = 'finch: status, explain, good, bad, toggle, restart, log',
  complete = function(lead, line)
    return require('finch.commands').complete(lead, line)
  end,
})
