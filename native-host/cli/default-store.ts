/** Where adapters lie unless the user says otherwise. */
import { isAbsolute, posix, resolve, win32 } from 'node:path';
import type { CliContext } from './context.ts';

/** `$LIFT_STORE`, or `lift` in the platform's folder for the data of programs. An absolute path. */
export function defaultStore({
  environment,
  platform,
  homeFolder,
  workingFolder,
}: Pick<CliContext, 'environment' | 'platform' | 'homeFolder' | 'workingFolder'>): string {
  if (environment.LIFT_STORE) return resolve(workingFolder, environment.LIFT_STORE);
  if (platform === 'win32') {
    return win32.join(environment.LOCALAPPDATA || win32.join(homeFolder, 'AppData', 'Local'), 'lift');
  }
  if (platform === 'darwin') return posix.join(homeFolder, 'Library', 'Application Support', 'lift');
  // The XDG specification: a relative path is to be ignored.
  const data = environment.XDG_DATA_HOME;
  return posix.join(data && isAbsolute(data) ? data : posix.join(homeFolder, '.local', 'share'), 'lift');
}
