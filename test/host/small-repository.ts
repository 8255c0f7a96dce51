// A little repository with something of each sort: sources, prose, a file with a secret, a file that is no text.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export const secretValue = 'zq7Xw2Lm9Rt4Kp8Vn3Bs6Yd1';

export const sources = {
  'README.md': `# Harbour

Counts the ships that lie in a harbour, and says which berth is free.

## Berths

A berth is given to the first ship that fits. A ship that is longer than every free berth waits outside.

## Fees

A ship pays for each night. The first night is free for ships under sail.
`,
  'src/berths.ts': `/** How many berths the harbour has. */
export const BERTH_COUNT = 42;

export interface Berth {
  number: number;
  lengthInMetres: number;
  occupiedBy: string | null;
}

/** The shortest free berth that a ship of this length fits into. */
export function berthFor(berths: readonly Berth[], shipLength: number): Berth | null {
  const free = berths.filter((berth) => berth.occupiedBy === null && berth.lengthInMetres >= shipLength);
  free.sort((a, b) => a.lengthInMetres - b.lengthInMetres);
  return free[0] ?? null;
}
`,
  'src/fees.ts': `/** What a night costs for each metre of a ship, in cents. */
export const CENTS_PER_METRE = 175;

/** What a ship owes for its stay, in cents. */
export function feeFor(shipLength: number, nights: number, isUnderSail: boolean): number {
  const paidNights = isUnderSail ? Math.max(0, nights - 1) : nights;
  return paidNights * Math.ceil(shipLength) * CENTS_PER_METRE;
}
`,
  'src/register.ts': `import { type Berth, berthFor } from './berths.ts';
import { feeFor } from './fees.ts';

/** Gives a ship its berth and returns the number, or null where it has to wait. */
export function arrive(berths: Berth[], ship: string, shipLength: number): number | null {
  const berth = berthFor(berths, shipLength);
  if (berth === null) return null;
  berth.occupiedBy = ship;
  return berth.number;
}

/** Frees the berth of a ship and returns what it owes. */
export function leave(berths: Berth[], ship: string, shipLength: number, nights: number): number {
  for (const berth of berths) if (berth.occupiedBy === ship) berth.occupiedBy = null;
  return feeFor(shipLength, nights, false);
}
`,
};

export function writeSmallRepository(folder: string): void {
  const write = (path: string, content: string | Uint8Array) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  };
  for (const [path, text] of Object.entries(sources)) write(path, text);
  write('.env', `HARBOUR_API_KEY=${secretValue}\n`);
  write(
    'logo.dat',
    Uint8Array.from({ length: 2048 }, (_, i) => (i * 37) % 256),
  );
}

/** Every file in a folder and in those inside it, that holds the text. */
export function filesThatHold(folder: string, text: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => readFileSync(file).includes(text));
}
