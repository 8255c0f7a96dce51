// The extension's sidebar page, as its reader sees it: a conversation and, in the second tab, the state of the absorption.
import type { FrameLocator, Locator, Page } from 'playwright-core';
import { until } from './until.ts';

export interface Answer {
  phase: string;
  text: string;
  /** What the page says below the answer: who answered, or why there is none. */
  note: string;
  /** Texts of the links to where the answer comes from. */
  sources: string[];
}

export class LiftView {
  constructor(private readonly page: Page) {}

  /** Opens the view by its icon in the activity bar, unless it is open. */
  async show(): Promise<void> {
    const icon = this.page.locator('.activitybar').getByRole('tab', { name: 'LIFT', exact: true });
    await icon.waitFor({ timeout: 60_000 });
    // A click closes a view that was just being restored; the next one opens it.
    await until('the view', async () => {
      if ((await icon.getAttribute('aria-selected')) !== 'true') await icon.click();
      await this.document.getByRole('tab').first().waitFor({ timeout: 10_000 });
      return true;
    });
  }

  /** The page inside of the frames that VS Code puts around a webview. */
  get document(): FrameLocator {
    return this.page
      .locator('iframe.webview.ready[src*="lift.lift-vscode"]')
      .first()
      .contentFrame()
      .frameLocator('#active-frame');
  }

  async showTab(name: 'Conversation' | 'Absorption'): Promise<void> {
    // The second tab's label says how much is absorbed, too.
    await this.document.getByRole('tab', { name: new RegExp(`^${name}`) }).click();
  }

  button(name: string): Locator {
    return this.document.getByRole('button', { name, exact: true });
  }

  /** The box that takes questions. */
  get question(): Locator {
    return this.document.getByLabel('Question', { exact: true });
  }

  /** Sends a question; its turn is the last one then. */
  async ask(question: string): Promise<void> {
    const before = await this.turns.count();
    await this.question.fill(question);
    await this.question.press('Enter');
    await until('the question to be on the page', async () => (await this.turns.count()) > before, 30);
  }

  get turns(): Locator {
    return this.document.locator('article.turn');
  }

  get lastTurn(): Locator {
    return this.turns.last();
  }

  /** Sends a question and waits until its answer is complete, in whatever way. */
  async answerTo(question: string, seconds = 120): Promise<Answer> {
    await this.ask(question);
    return this.finishedAnswer(seconds);
  }

  /** Waits until nothing is added to the last answer any more. */
  async finishedAnswer(seconds = 120): Promise<Answer> {
    const phase = await until(
      'the answer to be complete',
      async () => {
        const now = await this.lastTurn.getAttribute('data-phase');
        return now !== null && !['waiting', 'streaming'].includes(now) && now;
      },
      seconds,
    );
    const sources = this.lastTurn.getByRole('region', { name: 'Sources' }).getByRole('listitem');
    return {
      phase,
      text: (await this.lastTurn.locator('.answer').innerText()).trim(),
      note: (await this.lastTurn.locator('.turn-details').innerText()).trim(),
      sources: (await sources.allInnerTexts()).map((text) => text.trim()),
    };
  }

  /** The absorption panel's section of a folder. */
  folder(name: string): Locator {
    return this.document.locator('details.folder').filter({ has: this.page.locator('summary').getByText(name) });
  }
}
