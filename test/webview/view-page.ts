// The sidebar page in a real browser: served with the policy that the extension gives it, the colours of a theme of VS Code, and a
// stand-in for the webview API that records what the page posts and passes on what the test says the extension posts.
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import type { FromView, ToView, ViewState } from '../../protocol/view.ts';
import { webviewBundle } from '../../scripts/webview-bundle.mjs';
import { chromiumBinary } from '../e2e/setup/places.mjs';

export type Theme = 'dark' | 'light' | 'high-contrast' | 'high-contrast-light';

export interface ViewPage {
  page: Page;
  push(...messages: ToView[]): Promise<void>;
  posts(): Promise<FromView[]>;
  /** Waits for a message of that type, after those that were taken before, and takes it. */
  nextPost<T extends FromView['type']>(type: T): Promise<Extract<FromView, { type: T }>>;
  /** What must never happen: breaches of the policy, errors, dialogs, requests that leave the page. */
  troubles: string[];
}

export interface ViewPages {
  /** Bytes of the script and of the styles. */
  sizes: { script: number; styles: number };
  open(options?: {
    theme?: Theme;
    width?: number;
    height?: number;
    state?: ViewState;
    reducedMotion?: boolean;
  }): Promise<ViewPage>;
  close(): Promise<void>;
}

export async function startViewPages(): Promise<ViewPages> {
  if (!existsSync(chromiumBinary)) {
    throw new Error(`No browser at ${chromiumBinary}. Install it with: node scripts/install-test-tools.mjs`);
  }
  const bundle = await bundleView();
  const server = await serve(bundle);
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const browser = await chromium.launch({
    executablePath: chromiumBinary,
    args: [
      ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'],
      ...['--disable-component-update', '--disable-sync'],
    ],
  });
  const contexts: BrowserContext[] = [];
  return {
    sizes: { script: Buffer.byteLength(bundle.script), styles: Buffer.byteLength(bundle.styles) },
    async open({ theme = 'dark', width = 380, height = 720, state, reducedMotion = false } = {}) {
      const context = await newContext(browser, width, height, reducedMotion);
      contexts.push(context);
      const view = await openPage(context, origin, theme);
      if (state) await view.push({ type: 'state', state });
      return view;
    },
    async close() {
      for (const context of contexts) await context.close();
      await browser.close();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function newContext(
  browser: Browser,
  width: number,
  height: number,
  reducedMotion: boolean,
): Promise<BrowserContext> {
  const context = await browser.newContext({
    viewport: { width, height },
    reducedMotion: reducedMotion ? 'reduce' : 'no-preference',
  });
  context.setDefaultTimeout(60_000);
  return context;
}

async function openPage(context: BrowserContext, origin: string, theme: Theme): Promise<ViewPage> {
  const page = await context.newPage();
  const troubles: string[] = [];
  page.on('dialog', (dialog) => {
    troubles.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('pageerror', (error) => troubles.push(`error: ${error.message}`));
  page.on('console', (message) => {
    if (message.type() === 'error') troubles.push(`console: ${message.text()}`);
  });
  context.on('request', (request) => {
    if (!ownRequests.has(new URL(request.url()).pathname) || !request.url().startsWith(origin)) {
      troubles.push(`request: ${request.url().slice(0, 200)}`);
    }
  });
  context.on('page', (other) => troubles.push(`window: ${other.url()}`));
  page.on('framenavigated', (frame) => {
    if (!frame.url().startsWith(`${origin}/?`)) troubles.push(`navigation: ${frame.url().slice(0, 200)}`);
  });
  await page.goto(`${origin}/?theme=${theme}`);

  let taken = 0;
  const posts = () => page.evaluate(() => (window as unknown as { posted: FromView[] }).posted);
  return {
    page,
    troubles,
    posts,
    async push(...messages) {
      await page.evaluate((all) => {
        for (const message of all) window.postMessage(message, '*');
      }, messages);
      // Messages are delivered in order, so these have been when this one is.
      await page.evaluate(
        () =>
          new Promise((resolve) => {
            window.addEventListener('message', ({ data }) => data === 'delivered' && resolve(null));
            window.postMessage('delivered', '*');
          }),
      );
    },
    async nextPost(type) {
      for (;;) {
        const all = await posts();
        const at = all.findIndex((post, index) => index >= taken && post.type === type);
        if (at >= 0) {
          taken = at + 1;
          return all[at] as Extract<FromView, { type: typeof type }>;
        }
        await page.waitForFunction(
          (count) => (window as unknown as { posted: FromView[] }).posted.length > count,
          all.length,
        );
      }
    },
  };
}

const ownRequests = new Set(['/', '/view.js', '/view.css', '/theme.css', '/vscode-api.js', '/favicon.ico']);

async function bundleView(): Promise<{ script: string; styles: string }> {
  const { outputFiles } = await build({
    entryPoints: { view: fileURLToPath(new URL('../../webview/main.ts', import.meta.url)) },
    outdir: 'nowhere',
    write: false,
    bundle: true,
    ...webviewBundle,
  });
  if (!outputFiles) throw new Error('The bundler gave no files.');
  const text = (extension: string) => outputFiles.find(({ path }) => path.endsWith(extension))!.text;
  return { script: text('.js'), styles: text('.css') };
}

async function serve({ script, styles }: { script: string; styles: string }): Promise<Server> {
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const theme = (url.searchParams.get('theme') ?? 'dark') as Theme;
    const answers: Record<string, [string, string]> = {
      '/': ['text/html', html(theme, `http://${request.headers.host}`)],
      '/view.js': ['text/javascript', script],
      '/view.css': ['text/css', styles],
      '/theme.css': ['text/css', themeStyles(theme)],
      '/favicon.ico': ['image/x-icon', ''],
      '/vscode-api.js': ['text/javascript', vscodeApi],
    };
    const [type, body] = answers[url.pathname] ?? ['text/plain', 'nothing here'];
    response.writeHead(url.pathname in answers ? 200 : 404, { 'content-type': `${type}; charset=utf-8` }).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

/** As the extension makes it, with VS Code's own parts before. */
function html(theme: Theme, cspSource: string): string {
  const nonce = 'cmFuZG9tIGluIHRoZSBleHRlbnNpb24';
  const policy = `default-src 'none'; style-src ${cspSource}; script-src 'nonce-${nonce}'; font-src ${cspSource}; base-uri 'none'; form-action 'none'`;
  const bodyClass =
    theme === 'high-contrast-light' ? 'vscode-high-contrast-light vscode-high-contrast' : `vscode-${theme}`;
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="UTF-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="/theme.css?theme=${theme}">
<link rel="stylesheet" href="/view.css">
<title>LIFT</title>
</head>
<body class="${bodyClass}">
<div id="root"></div>
<script nonce="${nonce}" src="/vscode-api.js"></script>
<script nonce="${nonce}" src="/view.js"></script>
</body>
</html>`;
}

const themes: Record<Theme, Record<string, string>> = JSON.parse(
  readFileSync(new URL('../fixtures/webview/themes.json', import.meta.url), 'utf8'),
);

/** The theme's colours, the side bar behind the page, and the styles that VS Code gives every webview. */
function themeStyles(theme: Theme): string {
  const variables = Object.entries(themes[theme]).map(([name, value]) => `${name}: ${value};`);
  return `:root { ${variables.join(' ')} background: var(--vscode-sideBar-background); }
body { background: transparent; color: var(--vscode-editor-foreground); font-family: var(--vscode-font-family);
  font-weight: var(--vscode-font-weight); font-size: var(--vscode-font-size); margin: 0; padding: 0 20px; }
img, video { max-width: 100%; max-height: 100%; }
a, a code { color: var(--vscode-textLink-foreground); }
code { font-family: var(--vscode-editor-font-family); color: var(--vscode-textPreformat-foreground);
  background-color: var(--vscode-textPreformat-background); padding: 1px 3px; border-radius: 4px; }
pre code { padding: 0; }
::-webkit-scrollbar { width: 10px; height: 10px; }
::-webkit-scrollbar-thumb { background-color: var(--vscode-scrollbarSlider-background); }`;
}

const vscodeApi = `
window.posted = [];
window.acquireVsCodeApi = () => ({
  postMessage: (message) => window.posted.push(structuredClone(message)),
  getState: () => JSON.parse(sessionStorage.getItem('kept') ?? 'null') ?? undefined,
  setState: (state) => sessionStorage.setItem('kept', JSON.stringify(state)),
});
window.addEventListener('securitypolicyviolation', (event) => console.error('policy: ' + event.violatedDirective + ' ' + event.blockedURI + ' ' + event.sample));
`;
