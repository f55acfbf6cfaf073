import assert from 'node:assert/strict';
import { test } from 'node:test';

import { type Places, find } from '../src/binary.ts';

const linux: Places = {
  setting: '',
  extension: '/ext',
  path: '.:/usr/bin:/opt/finch',
  home: '/home/me',
  platform: 'linux',
};

function check(places: Partial<Places>, files: string[], program: string): void {
  assert.deepEqual(find({ ...linux, ...places }, (file) => files.includes(file)), { program });
}

function refuses(places: Partial<Places>, files: string[], problem: RegExp): void {
  const found = find({ ...linux, ...places }, (file) => files.includes(file));
  assert.match('problem' in found ? found.problem : `found ${found.program}`, problem);
}

test('the setting goes before what the extension carries, and that before the PATH', () => {
  const files = ['/mine/finch', '/ext/bin/finch', '/usr/bin/finch'];
  check({ setting: '/mine/finch' }, files, '/mine/finch');
  check({}, files, '/ext/bin/finch');
  check({}, ['/opt/finch/finch'], '/opt/finch/finch');
});

test('the setting may start at home or be a name on the PATH', () => {
  check({ setting: '~/bin/finch' }, ['/home/me/bin/finch'], '/home/me/bin/finch');
  check({ setting: 'finch-nightly' }, ['/opt/finch/finch-nightly'], '/opt/finch/finch-nightly');
});

test('a setting that names nothing is said, not replaced by another program', () => {
  refuses({ setting: '/gone/finch' }, ['/ext/bin/finch'], /names \/gone\/finch, which is not there/);
});

test('no program is taken from the folder that happens to be open', () => {
  refuses({ setting: './finch' }, ['./finch'], /must be an absolute path/);
  refuses({}, ['finch', './finch'], /is missing.*finch\.server\.path/);
});

test('on Windows programs end in exe', () => {
  const windows: Partial<Places> = { platform: 'win32', extension: 'C:\\ext', path: 'C:\\bin;D:\\tools' };
  check(windows, ['C:\\ext\\bin\\finch.exe'], 'C:\\ext\\bin\\finch.exe');
  check(windows, ['D:\\tools\\finch.exe'], 'D:\\tools\\finch.exe');
});
