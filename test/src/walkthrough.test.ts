import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');
const { contributes } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const texts: Record<string, string> = JSON.parse(readFileSync(join(root, 'package.nls.json'), 'utf8'));
const commands = new Set(contributes.commands.map(({ command }: { command: string }) => command));
const steps: { id: string; description: string; media: { markdown: string }; completionEvents: string[] }[] =
  contributes.walkthroughs[0].steps;

describe.each(steps)('the step $id of the walkthrough', ({ description, media, completionEvents }) => {
  it('has a text whose pictures are there', () => {
    const file = join(root, media.markdown);
    const pictures = [...readFileSync(file, 'utf8').matchAll(/!\[[^\]]+\]\(([^)]+)\)/g)].map(([, path]) => path!);
    expect(pictures).not.toEqual([]);
    for (const path of pictures) expect(existsSync(join(dirname(file), path)), path).toBe(true);
  });

  it('has buttons for commands that there are', () => {
    const text = texts[description.slice(1, -1)]!;
    const named = [...text.matchAll(/\(command:([\w.]+)/g)].map(([, command]) => command!);
    expect(named).not.toEqual([]);
    for (const command of named) {
      if (command.startsWith('lift.')) expect(commands, command).toContain(command);
      else expect(command).toBe('workbench.action.openSettings');
    }
  });

  it('is done by what there is', () => {
    const settings = Object.keys(contributes.configuration.properties ?? {});
    for (const event of completionEvents) {
      const [kind, name] = event.split(':') as [string, string];
      if (kind === 'onCommand') expect(commands, event).toContain(name);
      else if (kind === 'onSettingChanged') expect(settings, event).toContain(name);
      else expect(['lift.hasAdapter', 'lift.hasAsked'], event).toContain(name);
    }
  });
});
