// package.json, its texts and the translations beside the code that they belong to.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { collectTexts } from '../../scripts/l10n.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));
const json = (file: string) => JSON.parse(readFileSync(join(root, file), 'utf8'));
const manifest = json('package.json');
const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => readFileSync(join(root, 'src', name), 'utf8'))
  .join('\n');

describe('commands', () => {
  const contributed: string[] = manifest.contributes.commands.map(({ command }: { command: string }) => command);

  it('are registered, all that are contributed, and contributed, all that are registered', () => {
    const table = readFileSync(join(root, 'src/commands/commands.ts'), 'utf8');
    const registered = [
      ...sources.matchAll(/registerCommand\(\s*'(lift\.\w+)'/g),
      ...table.matchAll(/^ {4}'(lift\.\w+)':/gm),
    ].map(([, name]) => name!);
    expect([...new Set(registered)].sort()).toEqual([...contributed].sort());
  });

  it('are all that menus, keys and links name', () => {
    const { menus, keybindings } = manifest.contributes;
    const named = [...Object.values<{ command: string }[]>(menus).flat(), ...keybindings].map(({ command }) => command);
    const linked = [...JSON.stringify([manifest, json('package.nls.json')]).matchAll(/\(command:(lift\.\w+)\)/g)].map(
      ([, name]) => name!,
    );
    expect([...named, ...linked].filter((command) => !contributed.includes(command))).toEqual([]);
  });

  it('that cannot be called by name are not in the palette', () => {
    const hidden = manifest.contributes.menus.commandPalette.filter(({ when }: { when: string }) => when === 'false');
    expect(hidden.map(({ command }: { command: string }) => command)).toContain('lift.statusClick');
  });
});

describe('settings', () => {
  const properties: Record<string, Record<string, unknown>> = manifest.contributes.configuration.properties;

  it('are described, with a default and a scope', () => {
    for (const [name, property] of Object.entries(properties)) {
      expect(property, name).toMatchObject({
        default: expect.anything(),
        scope: expect.stringMatching(/^(application|machine-overridable|resource|window)$/),
        markdownDescription: expect.stringMatching(/^%setting\./),
      });
    }
  });

  it('are read somewhere, and all that is read is a setting', () => {
    const unread = Object.keys(properties).filter(
      (name) => !sources.includes(`'${name.slice(5)}'`) && !sources.includes(`'${name}'`),
    );
    expect(unread).toEqual([]);
  });

  it('of an untrusted workspace choose no program, no model and no cost', () => {
    const { untrustedWorkspaces, virtualWorkspaces } = manifest.capabilities;
    expect(untrustedWorkspaces.supported).toBe('limited');
    expect(untrustedWorkspaces.restrictedConfigurations).toEqual(expect.arrayContaining(['lift.model', 'lift.device']));
    const unknown = untrustedWorkspaces.restrictedConfigurations.filter((name: string) => !(name in properties));
    expect(unknown).toEqual([]);
    expect(virtualWorkspaces.supported).toBe(false);
  });
});

describe('texts', () => {
  const english: Record<string, string> = json('package.nls.json');
  const german: Record<string, string> = json('package.nls.de.json');

  it('of package.json are there, in both languages, and no others', () => {
    const wanted = [...JSON.stringify(manifest).matchAll(/"%([^%"]+)%"/g)].map(([, key]) => key!);
    expect(Object.keys(english).sort()).toEqual([...new Set(wanted)].sort());
    expect(Object.keys(german).sort()).toEqual(Object.keys(english).sort());
  });

  it('of the code are collected: `node scripts/l10n.mjs` has been run', () => {
    expect(Object.keys(json('l10n/bundle.l10n.json'))).toEqual(collectTexts());
  });

  it('in German are of texts that there are, with the same holes, and nearly all are there', () => {
    const translated: Record<string, string> = json('l10n/bundle.l10n.de.json');
    const texts = new Set(collectTexts());
    expect(Object.keys(translated).filter((text) => !texts.has(text))).toEqual([]);
    const holes = (text: string) => [...text.matchAll(/\{\d+\}|\$\([\w-]+\)/g)].map(([hole]) => hole).sort();
    for (const [text, translation] of Object.entries(translated)) expect(holes(translation), text).toEqual(holes(text));
    expect(Object.keys(translated).length).toBeGreaterThan(0.9 * texts.size);
  });
});
