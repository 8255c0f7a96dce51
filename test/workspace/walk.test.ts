import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { walkFolder } from '../../workspace/walk.ts';
import { temporaryFolder } from '../corpus/temporary-folder.ts';

async function pathsIn(folder: string): Promise<string[]> {
  return (await walkFolder(folder)).files.map((file) => file.path);
}

describe('ignore rules', () => {
  it('applies nested .gitignore files, the deeper one first', async () => {
    const folder = temporaryFolder({
      '.git/HEAD': 'ref: refs/heads/main\n',
      '.gitignore': '*.log\n/dist\nbuild/\n!keep.log\n',
      'a.ts': '1',
      'a.log': '1',
      'keep.log': '1',
      'dist/out.js': '1',
      'lib/dist/in.js': '1',
      'lib/build/x.js': '1',
      'lib/.gitignore': '!important.log\n*.tmp\n',
      'lib/important.log': '1',
      'lib/other.log': '1',
      'lib/x.tmp': '1',
      'x.tmp': '1',
    });
    expect(await pathsIn(folder)).toEqual([
      '.gitignore',
      'a.ts',
      'keep.log',
      'lib/.gitignore',
      'lib/dist/in.js',
      'lib/important.log',
      'x.tmp',
    ]);
  });

  it('agrees with git about a tangle of patterns', async () => {
    const folder = temporaryFolder({
      '.gitignore':
        '# comment\n\\#hash\n**/deep/**/x\na/**/z\n*.o\n!a.o\n/only-root\nsp\\ ace\ntrail/   \n[ab].txt\nq?.md\n!*/\n',
      '#hash': '1',
      'm/deep/n/x': '1',
      'm/deep/y': '1',
      'a/z': '1',
      'a/b/c/z': '1',
      'b.o': '1',
      'a.o': '1',
      'only-root': '1',
      'sub/only-root': '1',
      'sp ace': '1',
      'trail/file': '1',
      'a.txt': '1',
      'c.txt': '1',
      'q1.md': '1',
      'q12.md': '1',
      'sub/.gitignore': '*\n!.gitignore\n!kept\n',
      'sub/kept': '1',
      'sub/gone': '1',
    });
    execFileSync('git', ['init', '-q'], { cwd: folder });
    const listed = execFileSync('git', ['ls-files', '-z', '--others', '--exclude-standard'], {
      cwd: folder,
      encoding: 'utf8',
    });
    const fromGit = listed.split('\0').filter(Boolean).sort();
    expect(fromGit.length).toBeGreaterThan(5);
    expect(await pathsIn(folder)).toEqual(fromGit);
  });

  it('applies .git/info/exclude, also in a worktree, where .git is a file', async () => {
    const folder = temporaryFolder({ '.git/info/exclude': 'private.txt\n', 'private.txt': '1', 'a.txt': '1' });
    expect(await pathsIn(folder)).toEqual(['a.txt']);
    const worktree = temporaryFolder({
      '.git': `gitdir: ${join(folder, '.git/worktrees/w')}\n`,
      'private.txt': '1',
      'a.txt': '1',
    });
    mkdirSync(join(folder, '.git/worktrees/w'), { recursive: true });
    writeFileSync(join(folder, '.git/worktrees/w/commondir'), '../..\n');
    expect(await pathsIn(worktree)).toEqual(['a.txt']);
  });

  it('applies the rules of the repository around a folder, unless they ignore the folder itself', async () => {
    const folder = temporaryFolder({
      '.git/info/exclude': 'c.txt\n',
      '.gitignore': 'b.txt\npackages/*/gen\nvendor/\n',
      'packages/.gitignore': 'd.txt\n',
      'packages/one/a.txt': '1',
      'packages/one/b.txt': '1',
      'packages/one/c.txt': '1',
      'packages/one/d.txt': '1',
      'packages/one/gen/x.txt': '1',
      'vendor/thing/b.txt': '1',
    });
    expect(await pathsIn(join(folder, 'packages/one'))).toEqual(['a.txt']);
    expect(await pathsIn(join(folder, 'vendor/thing'))).toEqual(['b.txt']);
  });

  it('lets .liftignore leave out more and take in again', async () => {
    const folder = temporaryFolder({
      '.gitignore': 'generated/\n*.secret\nout/\n',
      '.liftignore': 'data/\n!generated/\n!node_modules/mine/\n!out/keep.txt\n!*.secret\n',
      'data/big.csv': '1',
      'generated/api.ts': '1',
      'generated/deep/b.ts': '1',
      'generated/.gitignore': 'cache\n',
      'generated/cache': '1',
      'node_modules/mine/index.js': '1',
      'node_modules/other/index.js': '1',
      'out/keep.txt': '1',
      'out/drop.txt': '1',
      'x.secret': '1',
      'y.ts': '1',
    });
    const walk = await walkFolder(folder);
    expect(walk.files.map((file) => file.path)).toEqual([
      '.gitignore',
      '.liftignore',
      'generated/.gitignore',
      'generated/api.ts',
      'generated/deep/b.ts',
      'node_modules/mine/index.js',
      'out/keep.txt',
      'x.secret',
      'y.ts',
    ]);
    expect(walk.ignored.find((one) => one.path === 'data/')?.reason).toBe('.liftignore: data/');
    expect(walk.ignored.find((one) => one.path === 'out/')?.reason).toBe('.gitignore: out/');
  });

  it('leaves out what the one who asks excludes, whatever .liftignore takes in', async () => {
    const folder = temporaryFolder({
      '.liftignore': '!build/kept.ts\n',
      '.gitignore': 'build/\n',
      'build/kept.ts': '1',
      'docs/a.md': '1',
      'docs/deep/b.md': '1',
      'src/a.ts': '1',
      'src/a.gen.ts': '1',
    });
    const files = async (exclude: string[]) =>
      (await walkFolder(folder, undefined, exclude)).files.map(({ path }) => path).filter((path) => path[0] !== '.');
    expect(await files([])).toEqual(['build/kept.ts', 'docs/a.md', 'docs/deep/b.md', 'src/a.gen.ts', 'src/a.ts']);
    expect(await files(['docs/', '*.gen.ts', 'build'])).toEqual(['src/a.ts']);
    const { ignored } = await walkFolder(folder, undefined, ['docs/']);
    expect(ignored).toContainEqual({ path: 'docs/', reason: 'excluded by a setting: docs/' });
  });

  it('never walks .git, even when told to', async () => {
    const folder = temporaryFolder({
      '.git/config': 'x',
      '.liftignore': '!.git/\n!.git/config\n',
      'sub/.git': 'gitdir: elsewhere',
    });
    expect(await pathsIn(folder)).toEqual(['.liftignore']);
  });

  it('says what is ignored, files counted by folder', async () => {
    const folder = temporaryFolder({
      '.gitignore': '*.log\nbuild/\n',
      'a.log': '1',
      'b.log': '1',
      'build/x': '1',
      'node_modules/x/i.js': '1',
    });
    const { ignored } = await walkFolder(folder);
    expect(ignored.map((one) => one.path)).toEqual(['./', 'build/', 'node_modules/']);
    expect(ignored[0]?.reason).toBe('2 files: .gitignore: *.log');
    expect(ignored[2]?.reason).toContain('!node_modules/');
  });

  it('reads rules with a byte order mark, Windows line ends and broken patterns', async () => {
    const folder = temporaryFolder({
      '.gitignore': '\uFEFFa.txt\r\n[z-a]\r\n\\\r\nb.txt\r\n',
      'a.txt': '1',
      'b.txt': '1',
      'c.txt': '1',
    });
    expect(await pathsIn(folder)).toEqual(['.gitignore', 'c.txt']);
  });

  it('reports rules that cannot be read', async () => {
    const folder = temporaryFolder({ 'a.txt': '1' });
    mkdirSync(join(folder, '.gitignore'));
    const walk = await walkFolder(folder);
    expect(walk.files.map((file) => file.path)).toEqual(['a.txt']);
    expect(walk.unread).toEqual([{ path: '.gitignore', reason: 'its rules are not applied: EISDIR' }]);
  });
});

describe('what is no regular file', () => {
  it('follows no links: neither loops nor what is outside', async () => {
    const outside = temporaryFolder({ 'secret.txt': '1' });
    const folder = temporaryFolder({ 'real/a.txt': '1' });
    symlinkSync('..', join(folder, 'real/up'));
    symlinkSync('real', join(folder, 'again'));
    symlinkSync('self', join(folder, 'self'));
    symlinkSync('nowhere', join(folder, 'broken'));
    symlinkSync(outside, join(folder, 'out'));
    symlinkSync(join(outside, 'secret.txt'), join(folder, 'out.txt'));
    symlinkSync('real/a.txt', join(folder, 'a.txt'));
    const walk = await walkFolder(folder);
    expect(walk.files.map((file) => file.path)).toEqual(['real/a.txt']);
    expect(Object.fromEntries(walk.unread.map((one) => [one.path, one.reason]))).toEqual({
      'a.txt': 'a link to something else in the folder',
      again: 'a link to something else in the folder',
      broken: 'a link that leads nowhere',
      out: 'a link that leaves the folder',
      'out.txt': 'a link that leaves the folder',
      'real/up': 'a link to something else in the folder',
      self: 'a link that leads to itself',
    });
  });

  it('walks a folder that is itself reached by a link', async () => {
    const folder = temporaryFolder({ 'real/a.txt': '1' });
    symlinkSync('real', join(folder, 'link'));
    expect(await pathsIn(join(folder, 'link'))).toEqual(['a.txt']);
  });

  it.skipIf(process.platform === 'win32')('opens no pipe', async () => {
    const folder = temporaryFolder({ 'a.txt': '1' });
    execFileSync('mkfifo', [join(folder, 'pipe')]);
    expect((await walkFolder(folder)).unread).toEqual([{ path: 'pipe', reason: 'not a regular file' }]);
  });

  it.skipIf(process.getuid?.() === 0)('reports a folder that cannot be read', async () => {
    const folder = temporaryFolder({ 'a.txt': '1', 'locked/b.txt': '1' });
    chmodSync(join(folder, 'locked'), 0);
    const walk = await walkFolder(folder);
    chmodSync(join(folder, 'locked'), 0o700);
    expect(walk.files.map((file) => file.path)).toEqual(['a.txt']);
    expect(walk.unread).toEqual([{ path: 'locked/', reason: 'cannot be read: permission denied' }]);
  });
});

it('says what is wrong with the folder itself', async () => {
  const folder = temporaryFolder({ 'a.txt': '1' });
  await expect(walkFolder(join(folder, 'missing'))).rejects.toThrow(/it does not exist/);
  await expect(walkFolder(join(folder, 'a.txt'))).rejects.toThrow(/is not a folder/);
});

it('walks deep and wide folders, and stops when told to', async () => {
  const deep = Array.from({ length: 120 }, (_, index) => `d${index}`).join('/');
  const wide = Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`w${index % 50}/f${index}`, '1']));
  const folder = temporaryFolder({ ...wide, [`${deep}/end.txt`]: '1' });
  expect(await pathsIn(folder)).toHaveLength(301);
  await expect(walkFolder(folder, AbortSignal.abort())).rejects.toThrow(/abort/);
});
