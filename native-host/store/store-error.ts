/** Errors of the store. Every message says what is wrong and what the user can do next. */

export class StoreError extends Error {
  override name = 'StoreError';
}

export class DiskFullError extends StoreError {
  override name = 'DiskFullError';
}

/** Somebody else trains this adapter. */
export class LockedError extends StoreError {
  override name = 'LockedError';
  readonly pid: number | null;
  readonly since: string | null;

  constructor(message: string, pid: number | null, since: string | null) {
    super(message);
    this.pid = pid;
    this.since = since;
  }
}

export function lockedBy(folder: string, pid: number | null, since: string | null): LockedError {
  const holder = pid === null ? 'another process' : `process ${pid}${pid === process.pid ? ' (this one)' : ''}`;
  return new LockedError(
    `The adapter in ${folder} is being trained by ${holder}${since === null ? '' : ` since ${since}`}. ` +
      'Wait until it has finished, or stop it, and try again.',
    pid,
    since,
  );
}

export function lockLost(folder: string): LockedError {
  return new LockedError(
    `The lock on the adapter in ${folder} was lost: it was not refreshed in time and another process took it. ` +
      'Nothing was written. Start the absorption again.',
    null,
    null,
  );
}

export function diskFull(folder: string, needed: number, free: number | null): DiskFullError {
  return new DiskFullError(
    `The disk is full: ${needed} bytes were needed in ${folder}${free === null ? '' : `, ${free} are free`}. ` +
      'What was saved before is still there. Free some space, for example with `lift adapters prune`, and try again.',
  );
}

export function notWritable(folder: string, code: string): StoreError {
  return new StoreError(
    `Nothing can be written in ${folder} (${code}). Allow it, or choose another store with \`--store\`.`,
  );
}

export function newerFormat(file: string, found: number, known: number): StoreError {
  return new StoreError(
    `${file} was made by a newer version of LIFT (format ${found}; this one reads up to ${known}). ` +
      'Update LIFT, or remove this adapter with `lift adapters delete`.',
  );
}

/** Nothing in an adapter's folder can be loaded any more. */
export function beyondRepair(folder: string, deleteCommand: string, problems: readonly string[]): StoreError {
  return new StoreError(
    `The adapter in ${folder} is damaged and nothing in it can be loaded: ${problems.join('; ')}. ` +
      `Remove it with \`${deleteCommand}\` and absorb the folder again.`,
  );
}

export function checkpointBeyondRepair(folder: string, problems: readonly string[]): StoreError {
  return new StoreError(
    `No checkpoint in ${folder} can be loaded: ${problems.join('; ')}. ` +
      'Absorb the folder again: training then starts from the last version with a fresh optimizer.',
  );
}

export function versionDamaged(folder: string, version: number, problem: string): StoreError {
  return new StoreError(
    `Version ${version} of the adapter in ${folder} is damaged: ${problem}. ` +
      'Use another version (`lift status` names them), or absorb the folder again.',
  );
}

export function noSuchVersion(folder: string, version: number, existing: readonly number[]): StoreError {
  const known = existing.length === 0 ? 'there is none yet' : `there are ${existing.join(', ')}`;
  return new StoreError(`The adapter in ${folder} has no version ${version}; ${known}. Choose one of these.`);
}

export function nothingToRollBackTo(folder: string): StoreError {
  return new StoreError(
    `The adapter in ${folder} cannot be rolled back: it has no earlier version. ` +
      'To start again from the base model, use `lift adapters delete`.',
  );
}

/** The vector that a caller wants to save does not fit its layout; every problem is listed. */
export function unusableVector(problems: readonly string[]): StoreError {
  return new StoreError(`The adapter was not saved: ${problems.join('; ')}. The last saved version is still there.`);
}

/** A folder in PEFT's format that cannot become an adapter of this base model; every reason is listed. */
export function peftMismatch(folder: string, problems: readonly string[]): StoreError {
  return new StoreError(
    `${folder} cannot be imported:\n${problems.map((problem) => `  - ${problem}`).join('\n')}\n` +
      'Nothing was imported. Use a LoRA adapter that was trained for this base model and saved with PEFT as safetensors.',
  );
}

export function notExportable(reason: string): StoreError {
  return new StoreError(`This adapter cannot be exported in PEFT's format: ${reason}.`);
}

export function exportFolderInUse(folder: string, file: string): StoreError {
  return new StoreError(
    `${folder} holds ${file} already. Choose another folder, or remove the file, and export again.`,
  );
}

export function noSuchAdapter(repositoryKey: string, baseModelKey: string | undefined): StoreError {
  const what = baseModelKey === undefined ? repositoryKey : `${repositoryKey} with the base model ${baseModelKey}`;
  return new StoreError(`There is no adapter ${what}. \`lift adapters list\` shows what there is.`);
}
