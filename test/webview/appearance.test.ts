import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startViewPages, type Theme, type ViewPages } from './view-page.ts';
import { absorbingFolder, context, finishedTurn, turn, viewState } from './view-states.ts';

let pages: ViewPages;
beforeAll(async () => {
  pages = await startViewPages();
});
afterAll(() => pages.close());

const webviewFolder = fileURLToPath(new URL('../../webview/', import.meta.url));
const sources = readdirSync(webviewFolder, { recursive: true, encoding: 'utf8' });

describe('the page', () => {
  test('is at most 1 MB', () => {
    expect(pages.sizes.script + pages.sizes.styles).toBeLessThan(1_000_000);
  });

  test('only one file imports the toolkit', () => {
    const importing = sources.filter(
      (file) => file.endsWith('.ts') && readFileSync(join(webviewFolder, file), 'utf8').includes('webview-ui-toolkit'),
    );
    expect(importing).toEqual(['toolkit.ts']);
  });

  test('its styles name no colour but those of the theme', () => {
    for (const file of sources.filter((file) => file.endsWith('.css'))) {
      expect(readFileSync(join(webviewFolder, file), 'utf8'), file).not.toMatch(
        /#[0-9a-f]{3,8}\b|\b(?:rgb|hsl)a?\(|:\s*(?:white|black|gr[ae]y|red|blue|green)\b/i,
      );
    }
  });

  const widths: [Theme, number][] = [
    ['dark', 380],
    ['light', 260],
    ['high-contrast', 260],
    ['high-contrast-light', 260],
    ['dark', 180],
  ];
  test.each(widths)('%s, %d px wide: nothing sticks out, and the policy is kept', async (theme, width) => {
    const wide = turn({
      id: 'wide',
      answer: `${'w'.repeat(500)}\n\n|a|b|\n|-|-|\n|${'x'.repeat(90)}|${'y'.repeat(90)}|\n\n\`${'z'.repeat(300)}\`\n\n\`\`\`\n${'c'.repeat(400)}\n\`\`\``,
    });
    const state = viewState({ context, folders: [absorbingFolder] }, [finishedTurn, wide]);
    const view = await pages.open({ theme, width, state });
    await expect.poll(() => view.page.locator('.answer').nth(1).locator('.code-block').count()).toBe(1);
    const sticksOut = () =>
      view.page.evaluate(() => {
        const limit = document.documentElement.clientWidth;
        const scrolled = (element: Element) => element.parentElement?.closest('pre, .table, .visually-hidden');
        return [...document.querySelectorAll('body *')]
          .filter((element) => element.checkVisibility() && !scrolled(element) && !element.matches('.visually-hidden'))
          .filter((element) => element.getBoundingClientRect().right > limit + 1)
          .map((element) => element.outerHTML.slice(0, 120));
      });
    expect(await sticksOut()).toEqual([]);
    await view.page.getByRole('tab', { name: /Absorption/ }).click();
    expect(await sticksOut()).toEqual([]);
    expect(view.troubles).toEqual([]);
  });

  test.each(['dark', 'light', 'high-contrast', 'high-contrast-light'] as Theme[])(
    '%s: text stands out from its ground',
    async (theme) => {
      const view = await pages.open({ theme, state: viewState({ context }, [finishedTurn]) });
      await expect.poll(() => view.page.locator('.answer .code-block').count()).toBe(1);
      const faint = await view.page.evaluate(() => {
        type Colour = [number, number, number, number];
        const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true })!;
        const read = (colour: string): Colour => {
          canvas.clearRect(0, 0, 1, 1);
          canvas.fillStyle = colour;
          canvas.fillRect(0, 0, 1, 1);
          const [red, green, blue, alpha] = canvas.getImageData(0, 0, 1, 1).data;
          return [red!, green!, blue!, alpha! / 255];
        };
        const over = (top: Colour, below: Colour): Colour =>
          [0, 1, 2].map((index) => top[index]! * top[3] + below[index]! * (1 - top[3])).concat(1) as Colour;
        const ground = (element: Element | null): Colour =>
          element
            ? over(read(getComputedStyle(element).backgroundColor), ground(element.parentElement))
            : [255, 255, 255, 1];
        const light = ([red, green, blue]: Colour) => {
          const [r, g, b] = [red, green, blue].map((part) =>
            part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4,
          );
          return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
        };
        const contrast = (a: number, b: number) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        return [...document.querySelectorAll('#root *')]
          .filter(
            (element) =>
              element.checkVisibility() &&
              [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent!.trim()),
          )
          .filter((element) => !element.closest('svg'))
          .map((element) => {
            const below = ground(element);
            const text = over(read(getComputedStyle(element).color), below);
            return {
              text: element.textContent!.slice(0, 40),
              class: element.className,
              contrast: contrast(light(text), light(below)),
            };
          })
          .filter(({ contrast }) => contrast < 3);
      });
      expect(faint).toEqual([]);
    },
  );

  test('everything can be reached and used by keyboard', async () => {
    const view = await pages.open({ state: viewState({ context }, [finishedTurn]) });
    await expect.poll(() => view.page.locator('.answer .code-block').count()).toBe(1);
    const reached = new Set<string>();
    for (let presses = 0; presses < 60; presses++) {
      await view.page.keyboard.press('Tab');
      reached.add(
        await view.page.evaluate(() => {
          let focused = document.activeElement;
          while (focused?.shadowRoot?.activeElement) focused = focused.shadowRoot.activeElement;
          const host =
            focused?.getRootNode() instanceof ShadowRoot ? (focused.getRootNode() as ShadowRoot).host : focused;
          return host?.getAttribute('aria-label') ?? host?.textContent?.trim() ?? '';
        }),
      );
    }
    for (const name of [
      'Conversation',
      'New conversation',
      'Earlier conversations',
      'functions/parse.js:4',
      'Copy',
      'Insert at cursor',
      'Put into a new file',
      'the manual',
      'functions/parse.js:4–16',
      'What the model was shown (4)',
      'Copy answer',
      'Ask again',
      'Don’t send classes/range.js',
      'Question',
      'Adapter',
      'Evidence',
      'Open files',
    ]) {
      expect([...reached], name).toContain(name);
    }
  });

  test('has roles and names for those who can’t see it', async () => {
    const view = await pages.open({ state: viewState({ context }, [turn({ answer: 'Yes.', version: 7 })]) });
    await expect.poll(() => view.page.locator('.answer p').count()).toBe(1);
    expect(await view.page.locator('body').ariaSnapshot()).toMatchInlineSnapshot(`
      "- tablist:
        - tab "Conversation" [selected]
        - tab "Absorption 96 %"
      - tabpanel "Conversation":
        - banner:
          - heading "How is a version string parsed?" [level=2]
          - button "New conversation"
          - button "Earlier conversations"
        - 'button "semver: 96 % absorbed · 3 files changed"'
        - article "How is a version string parsed?":
          - text: How is a version string parsed?
          - paragraph: Yes.
          - text: Adapter version 7 · first token after 0.3 s · 48 tokens/s
          - button "Copy answer"
          - button "Ask again"
        - region "Ask":
          - list "Sent along with the question":
            - 'listitem "Selection: functions/parse.js:10–24"':
              - text: parse.js:10–24
              - button "Don’t send functions/parse.js:10–24"
            - 'listitem "Active file: functions/parse.js (unsaved)"':
              - text: parse.js ●
              - button "Don’t send functions/parse.js"
            - 'listitem "Open file: classes/range.js"':
              - text: range.js
              - button "Don’t send classes/range.js"
          - combobox "Question"
          - group "What the answer uses":
            - checkbox "Adapter" [checked]:
              - img
              - text: Adapter
            - checkbox "Evidence":
              - img
              - text: Evidence
            - checkbox "Open files" [checked]:
              - img
              - text: Open files
          - button "Send" [disabled]
      - status"
    `);
  });

  test('speaks the user’s language', async () => {
    const words = {
      'Ask about this code': 'Frag nach diesem Code',
      Send: 'Senden',
      '{0}: {1} absorbed': '{1} von {0} aufgenommen',
    };
    const view = await pages.open({ state: viewState({ words }) });
    expect(await view.page.getByRole('heading', { name: 'Frag nach diesem Code' }).count()).toBe(1);
    expect(await view.page.getByRole('button', { name: 'Senden' }).count()).toBe(1);
    expect(await view.page.locator('.coverage').innerText()).toContain('96 % von semver aufgenommen');
  });

  test('moves nothing where motion is not wanted', async () => {
    const progress = { ...absorbingFolder.progress!, done: null };
    const state = viewState({ folders: [{ ...absorbingFolder, progress }] }, [turn({ phase: 'waiting' })]);
    for (const reducedMotion of [false, true]) {
      const view = await pages.open({ reducedMotion, state });
      const moving = () =>
        view.page.evaluate(() => {
          const shadows = [...document.querySelectorAll('*')].flatMap(({ shadowRoot }) => shadowRoot ?? []);
          const animations = [document, ...shadows].flatMap((root) => root.getAnimations());
          // What is over within a frame, such as the tabs' own line, moves nothing.
          const lasting = animations.filter(({ effect }) => Number(effect!.getComputedTiming().endTime) > 16);
          return lasting.some(({ effect }) => (effect as KeyframeEffect).target?.checkVisibility());
        });
      await view.page.locator('.waiting').waitFor();
      expect(await moving()).toBe(!reducedMotion);
      await view.page.getByRole('tab', { name: /Absorption/ }).click();
      await view.page.locator('.folder > .progress').waitFor();
      expect(await moving()).toBe(!reducedMotion);
    }
  });
});
