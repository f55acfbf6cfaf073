/**
 * Which finch program to start: the one the user names, the one the extension carries, or the one on the PATH.
 * Decides from what it is given; only `isProgram` looks at the disk.
 */

import { constants, accessSync, statSync } from 'node:fs';
import path from 'node:path';

export interface Places {
  /** The setting `finch.server.path`; empty when there is none. */
  setting: string;
  /** The folder the extension is installed in. */
  extension: string;
  /** The environment variable PATH. */
  path: string;
  home: string;
  platform: NodeJS.Platform;
}

export type Found = { program: string } | { problem: string };

/** The program, or a sentence about what is wrong and what to do. */
export function find(places: Places, exists: (file: string) => boolean = isProgram): Found {
  const { posix, win32 } = path;
  const { join, isAbsolute, delimiter } = places.platform === 'win32' ? win32 : posix;
  const ending = places.platform === 'win32' ? '.exe' : '';

  const onPath = (name: string): string | undefined =>
    places.path
      .split(delimiter)
      // A relative entry would mean a folder of the workspace.
      .filter((folder) => isAbsolute(folder))
      .flatMap((folder) => [join(folder, name), join(folder, name + ending)])
      .find(exists);

  const wanted = places.setting.replace(/^~(?=[\\/])/, () => places.home).trim();
  if (wanted) {
    if (!isAbsolute(wanted) && /[\\/]/.test(wanted)) {
      return { problem: `finch.server.path is ${wanted}, and must be an absolute path or a name on the PATH.` };
    }
    const program = isAbsolute(wanted) ? [wanted].find(exists) : onPath(wanted);
    return program
      ? { program }
      : { problem: `finch.server.path names ${wanted}, which is not there or is no program.` };
  }
  const program = [join(places.extension, 'bin', `finch${ending}`)].find(exists) ?? onPath('finch');
  return program
    ? { program }
    : {
        problem:
          'The finch program is missing: neither does this extension carry it, nor is it on the PATH. ' +
          'Install it, or name it in the setting finch.server.path.',
      };
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
