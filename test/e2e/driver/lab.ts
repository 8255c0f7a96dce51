// What a file of tests starts with: a server with the packaged extension, a browser, and windows in it. When it is closed, every
// process and folder that it made is gone. Pictures of failed tests, and the logs, are kept in dist/e2e/<name>/.
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type BrowserContext, chromium } from 'playwright-core';
import { chromiumBinary } from '../setup/places.mjs';
import { CodeServer } from './code-server.ts';
import { nativeHosts } from './native-hosts.ts';
import { until } from './until.ts';
import { Workbench } from './workbench.ts';

/**
 * How long the embedded model is trained where a test asks what it has learned; $LIFT_E2E_MINUTES on a machine that is slower than two
 * free cores.
 */
export const minutesToLearn = Number(process.env.LIFT_E2E_MINUTES ?? 1.5);

export interface LabOptions {
  /** Names the folder of what is kept. */
  name: string;
  settings?: Record<string, unknown>;
  environment?: Record<string, string>;
  /** VSIX files that are installed beside the extension. */
  otherExtensions?: string[];
  /** CSS pixels. */
  viewport?: { width: number; height: number };
  pixelsPerPoint?: number;
}

export class Lab {
  /** Requests of the browser to other machines, which there should be none of. */
  readonly requestsElsewhere: string[] = [];
  readonly windows: Workbench[] = [];

  private constructor(
    readonly home: string,
    readonly server: CodeServer,
    private readonly browser: BrowserContext,
    private readonly keptFolder: string,
  ) {
    browser.on('request', (request) => {
      const { protocol, hostname, href } = new URL(request.url());
      // The second is how webviews name files of this machine; a service worker of the workbench answers.
      const isHere = hostname === '127.0.0.1' || hostname.endsWith('.vscode-resource.vscode-cdn.net');
      if (/^(https?|wss?):$/.test(protocol) && !isHere) this.requestsElsewhere.push(href);
    });
  }

  static async open(options: LabOptions): Promise<Lab> {
    const home = mkdtempSync(join(tmpdir(), 'lift-e2e-'));
    const keptFolder = resolve('dist', 'e2e', options.name);
    rmSync(keptFolder, { recursive: true, force: true });
    mkdirSync(keptFolder, { recursive: true });
    const server = await CodeServer.start({
      home,
      extensions: [packagedExtension(), ...(options.otherExtensions ?? [])],
      // Whatever else this machine does, the tests' absorptions are not to wait for it.
      settings: { 'lift.power': 'always', ...options.settings },
      environment: options.environment ?? {},
    });
    const browser = await chromium.launchPersistentContext(join(home, 'browser'), {
      executablePath: chromiumBinary,
      headless: true,
      viewport: options.viewport ?? { width: 1280, height: 800 },
      deviceScaleFactor: options.pixelsPerPoint ?? 1,
      permissions: ['clipboard-read', 'clipboard-write'],
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--disable-background-networking',
        '--disable-sync',
      ].concat(['--no-first-run', '--disable-component-update']),
    });
    browser.setDefaultTimeout(60_000);
    return new Lab(home, server, browser, keptFolder);
  }

  /** An empty folder beside the server's own. */
  folder(name: string): string {
    const folder = join(this.home, 'workspaces', name);
    mkdirSync(folder, { recursive: true });
    return folder;
  }

  /** A window on a folder or on a .code-workspace file. */
  async window(path: string): Promise<Workbench> {
    const page = this.windows.length === 0 ? this.browser.pages()[0]! : await this.browser.newPage();
    const workbench = new Workbench(page);
    this.windows.push(workbench);
    await workbench.open(this.server.url, path);
    return workbench;
  }

  /** The native hosts that run now, by process id. */
  nativeHosts(): number[] {
    return nativeHosts(this.server.extensionsFolder);
  }

  /** Files that the server and the extension wrote, which hold that text. */
  filesThatHold(text: string): string[] {
    const folder = join(this.home, 'data');
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .filter((file) => readFileSync(file).includes(text));
  }

  /** Keeps a picture of each window. */
  async picture(name: string): Promise<void> {
    const file = name.replace(/[^\w]+/g, '-').slice(0, 80);
    for (const [index, { page }] of this.windows.entries()) {
      await page.screenshot({ path: join(this.keptFolder, `${file}${index === 0 ? '' : `-${index + 1}`}.png`) });
    }
  }

  async close(): Promise<void> {
    await this.browser.close();
    await this.server.stop();
    // Hosts end by themselves when those who started them are gone.
    await until('the native hosts to end', () => this.nativeHosts().length === 0);
    const logs = join(this.home, 'data', 'logs');
    if (existsSync(logs)) cpSync(logs, join(this.keptFolder, 'logs'), { recursive: true });
    rmSync(this.home, { recursive: true, force: true, maxRetries: 10, retryDelay: 300 });
  }
}

function packagedExtension(): string {
  const folder = resolve('dist', 'vsix');
  const file = existsSync(folder) && readdirSync(folder).find((entry) => entry.includes(`-linux-${process.arch}-`));
  if (!file) throw new Error('there is no packaged extension for this platform: run npm run test:e2e, which makes it');
  return join(folder, file);
}
