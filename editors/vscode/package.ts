/**
 * Makes the VSIX:
 *   npm run package                                             takes finch from the PATH
 *   npm run package -- --target linux-x64 --server FINCH        carries the program FINCH, for one platform
 *   --out FILE                                                  where it goes
 */

import { chmodSync, copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

import { createVSIX } from '@vscode/vsce';

const { values } = parseArgs({
  options: { target: { type: 'string' }, server: { type: 'string' }, out: { type: 'string' } },
});
if (Boolean(values.target) !== Boolean(values.server)) {
  throw new Error('--target and --server go together: a program is made for one platform');
}

await import('./build.ts');

const licences = ['../../LICENSE-MIT', '../../LICENSE-APACHE'];
writeFileSync('LICENSE', licences.map((file) => readFileSync(file, 'utf8')).join('\n\n'));

// What an earlier run carried must not go into this one.
rmSync('bin', { recursive: true, force: true });
if (values.server) {
  const program = values.target?.startsWith('win32') ? 'bin/finch.exe' : 'bin/finch';
  mkdirSync('bin');
  copyFileSync(values.server, program);
  chmodSync(program, 0o755);
}

await createVSIX({
  dependencies: false,
  ...(values.target && { target: values.target }),
  ...(values.out && { packagePath: values.out }),
});
