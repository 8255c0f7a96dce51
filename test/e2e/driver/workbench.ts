// One window of VS Code in the browser, driven as a user would: keys, clicks, and reading what is on the page.
import type { FrameLocator, Locator, Page } from 'playwright-core';
import { LiftView } from './lift-view.ts';
import { until } from './until.ts';

export class Workbench {
  readonly lift: LiftView;

  constructor(readonly page: Page) {
    this.lift = new LiftView(page);
  }

  /** Opens a folder, or a .code-workspace file, and waits until the workbench stands. */
  async open(serverUrl: string, path: string): Promise<void> {
    const kind = path.endsWith('.code-workspace') ? 'workspace' : 'folder';
    await this.page.goto(`${serverUrl}/?${kind}=${encodeURIComponent(path)}`, {
      waitUntil: 'domcontentloaded',
      timeout: 120_000,
    });
    await this.page.locator('.monaco-workbench').waitFor({ timeout: 120_000 });
  }

  /**
   * Reloads the window, as the command of that name does; not sooner than the workbench has written what extensions and pages
   * keep, which it does a moment after they ask for it.
   */
  async reload(): Promise<void> {
    await this.page.waitForTimeout(2000);
    await this.page.reload({ waitUntil: 'domcontentloaded', timeout: 120_000 });
    await this.page.locator('.monaco-workbench').waitFor({ timeout: 120_000 });
  }

  /** Runs a command by the exact label that the palette shows. The first row is not always the one meant, so it is clicked. */
  async command(label: string): Promise<void> {
    const input = this.page.locator('.quick-input-widget input.input');
    const row = this.quickPickRows().filter({
      has: this.page.locator('.label-name').getByText(label, { exact: true }),
    });
    await until(`the command "${label}" in the palette`, async () => {
      await this.page.keyboard.press('F1');
      await input.fill(`>${label}`, { timeout: 5_000 });
      await row.first().click({ timeout: 5_000 });
      return true;
    });
  }

  quickPickRows(): Locator {
    return this.page.locator('.quick-input-list .monaco-list-row');
  }

  /** The extension's item in the status bar. */
  get status(): Locator {
    return this.page.locator('[id="lift.lift-vscode.lift.status"]');
  }

  /** The status bar item's text, without icons. */
  async statusText(): Promise<string> {
    return ((await this.status.textContent()) ?? '').replace(/\s+/g, ' ').trim();
  }

  /** What the status bar item says to a screen reader, tooltip included. */
  async statusLabel(): Promise<string> {
    return (await this.status.locator('a').getAttribute('aria-label')) ?? '';
  }

  /** Waits for the status bar item's text; gives it. */
  async untilStatus(what: RegExp, seconds = 60): Promise<string> {
    let text = '';
    const matches = async () => {
      text = await this.statusText();
      return what.test(text);
    };
    await until('the status bar', matches, seconds).catch(() => {
      throw new Error(`the status bar did not come to ${what} within ${seconds} s; it says "${text}"`);
    });
    return text;
  }

  /** Waits until nothing is absorbed any more; gives the status bar item's text. */
  async untilAbsorbed(seconds: number): Promise<string> {
    const spinner = this.status.locator('.codicon-sync');
    await until(
      'the absorption to begin',
      async () => (await spinner.count()) > 0 || /%/.test(await this.statusText()),
    );
    await until('the absorption to end', async () => (await spinner.count()) === 0, seconds);
    return await this.statusText();
  }

  /** Trusts the workspace in the editor that the status bar's restricted mode opens. */
  async trust(): Promise<void> {
    const restricted = this.page.locator('[id="status.workspaceTrust"]');
    await restricted.click();
    await this.page.locator('.workspace-trust-editor').getByRole('button', { name: 'Trust', exact: true }).click();
    await restricted.waitFor({ state: 'detached' });
    await this.command('View: Close All Editors');
  }

  /** Messages that are shown at the bottom right. */
  notifications(): Locator {
    return this.page.locator('.notification-toast .notification-list-item-message');
  }

  /** A modal dialog's box. */
  dialog(): Locator {
    return this.page.locator('.monaco-dialog-box');
  }

  /** Opens a file by its path within the workspace, by quick open. */
  async openFile(path: string): Promise<void> {
    const name = path.split('/').at(-1)!;
    const input = this.page.locator('.quick-input-widget input.input');
    // Rows of an earlier text stay for a moment.
    const row = this.quickPickRows().filter({ has: this.page.locator('.label-name').getByText(name, { exact: true }) });
    await until(`${name} in front`, async () => {
      if ((await this.activeEditor()) === name) return true;
      await this.page.keyboard.press('Control+P');
      await input.fill(path, { timeout: 5_000 });
      await row.first().click({ timeout: 5_000 });
      return false;
    });
  }

  /** The page that the extension shows in an editor, inside of the frames that VS Code puts around it. */
  editorPage(): FrameLocator {
    return this.page
      .locator('iframe.webview.ready[src*="lift.lift-vscode"]:not([src*="purpose=webviewView"])')
      .last()
      .contentFrame()
      .frameLocator('#active-frame');
  }

  /** Title of the editor in front; empty where none is open. */
  async activeEditor(): Promise<string> {
    const tab = this.activeTab();
    if ((await tab.count()) === 0) return '';
    return (await tab.getAttribute('data-resource-name')) ?? '';
  }

  private activeTab(): Locator {
    return this.page.locator('.editor-group-container.active .tab.active');
  }

  /** Where the cursor or the selection is, as the status bar says it: such as `Ln 12, Col 1 (40 selected)`. */
  async cursor(): Promise<string> {
    return ((await this.page.locator('[id="status.editor.selection"]').textContent()) ?? '').trim();
  }

  /** Types a text in place of a line of the editor in front. `line` counts from 1. */
  async typeOverLine(line: number, text: string): Promise<void> {
    await this.page.keyboard.press('Control+G');
    await this.page.locator('.quick-input-widget input.input').fill(`:${line}`);
    await this.page.keyboard.press('Enter');
    await until(`the cursor in line ${line}`, async () => (await this.cursor()).startsWith(`Ln ${line},`));
    await this.page.keyboard.press('Home');
    await this.page.keyboard.press('Shift+End');
    await this.page.keyboard.type(text);
  }

  async save(): Promise<void> {
    await this.page.keyboard.press('Control+S');
    await until(
      'the file to be saved',
      async () => !/\bdirty\b/.test((await this.activeTab().getAttribute('class')) ?? ''),
    );
  }
}
