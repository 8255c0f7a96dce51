import { describe, expect, it } from 'vitest';
import { byteSize, bytesFrom, counted, duration, measured, percent } from '../../native-host/cli/number-text.ts';
import { textTable } from '../../native-host/cli/text-table.ts';

describe('numbers for people', () => {
  it('never rounds a share to all or nothing', () => {
    expect([0, 0.0001, 0.5, 0.99999, 1].map((value) => percent(value))).toEqual([
      '0.0 %',
      '< 0.1 %',
      '50.0 %',
      '99.9 %',
      '100.0 %',
    ]);
    expect([0.001, 0.999].map((value) => percent(value, 0))).toEqual(['< 1 %', '99 %']);
  });

  it('writes durations, sizes and counts', () => {
    expect([0.26, 59.7, 61, 3600, 90_000].map(duration)).toEqual(['0.3 s', '1 min', '1 min 1 s', '1 h', '1 d 1 h']);
    expect([0, 1, 999, 12_345_678, 999_960].map(byteSize)).toEqual([
      '0 bytes',
      '1 byte',
      '999 bytes',
      '12.3 MB',
      '1.0 MB',
    ]);
    expect([counted(1, 'file'), counted(2000, 'file')]).toEqual(['1 file', '2,000 files']);
    expect([1234.5, 12.3456, 0.00123456, Number.NaN].map(measured)).toEqual(['1,235', '12.35', '0.001235', 'unknown']);
  });

  it('reads sizes', () => {
    expect(['1000', '500MB', '2.5 GB', '1k', '3TiB'].map(bytesFrom)).toEqual([1000, 5e8, 2.5e9, 1000, 3e12]);
    for (const text of ['', 'GB', '-1', '1e9', '5 apples']) expect(() => bytesFrom(text)).toThrow(/500MB/);
  });
});

describe('textTable', () => {
  it('aligns columns', () => {
    expect(
      textTable(
        ['a', 'number'],
        [
          ['long name', '1'],
          ['b', '1,000'],
        ],
        ['number'],
      ),
    ).toEqual(['a          number', 'long name       1', 'b           1,000']);
  });
});
