import { describe, expect, it } from 'vitest';
import { redacted } from '../../src/redaction.ts';

const places = {
  home: '/home/dora',
  folders: ['/home/dora/secret-project', 'C:\\Code\\Other Project'],
  user: 'dora',
};

describe('redacting', () => {
  it.each([
    ['folders', 'reading /home/dora/secret-project/src/payroll/salary.ts:12', 'reading <folder 1>/….ts'],
    ['the folder itself', 'absorbing /home/dora/secret-project now', 'absorbing <folder 1> now'],
    ['folders in the other spelling', 'in c:/code/Other Project/x.py', 'in <folder 2>/….py'],
    ['a folder whose name begins alike', 'in /home/dora/secret-project-2/x.py', 'in <home>/….py'],
    ['the home folder', 'store at /home/dora/.config/Code', 'store at <home>/…'],
    ['other paths', 'cannot read /srv/data/customers.json', 'cannot read <path>.json'],
    ['paths of Windows', 'cannot read D:\\Data\\customers.json', 'cannot read <path>.json'],
    ['relative paths', 'skipped src/payroll/salary.ts', 'skipped <file>.ts'],
    ['names of files', 'skipped salary.ts, too large', 'skipped <file>.ts, too large'],
    ['quoted text', `said "the salary of Ann", 'and Bob', \`and Cy\``, `said "…", '…', \`…\``],
    ['addresses', 'from https://user:pass@example.org/x?key=1 over', 'from <https address> over'],
    ['e-mail addresses', 'by dora@example.org', 'by <e-mail address>'],
    ['keys', 'key sk-abcDEF0123456789abcdef01 used', 'key <secret> used'],
    ['what is called a secret', 'password=hunter2 API_KEY: abc', 'password <secret> API_KEY <secret>'],
    ['headers', 'authorization: Basic ZG9yYTp4 y', 'authorization <secret>'],
    ['private keys', '-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----', '<secret>'],
    ['the user', 'run by Dora today', 'run by <user> today'],
  ])('takes out %s', (_, text, expected) => {
    const result = redacted(text, places);
    expect(result).toBe(expected);
    expect(result).not.toMatch(/payroll|salary|customers|dora|hunter2|MIIE|\b(Ann|Bob|Cy)\b/i);
  });

  it.each([
    'the native host 0.1.0 is ready: process 4711, lift-base on cpu',
    'step 300, loss 0.52, 230 tokens/s, 4.5 MB',
    "the host doesn't answer and it can't be restarted",
    'code null, signal SIGKILL',
  ])('leaves what says what happened: %s', (text) => {
    expect(redacted(text, places)).toBe(text);
  });

  it('takes long logs', () => {
    const line = `${'a/'.repeat(5000)} ${'"'.repeat(5001)} ${'x1'.repeat(20_000)}\n`;
    expect(redacted(line.repeat(10), places).length).toBeLessThan(10 * 1010);
  });
});
