// VS Code's server with the packaged extension installed, on a free port of this machine, with all of its data in a
// temporary folder. Nothing of the user's own configuration is read or written.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { codeServerEntry, nodeBinary } from '../setup/places.mjs';
import { until } from './until.ts';

/** Settings that keep the workbench quiet and the same from run to run. */
const quietSettings = {
  'workbench.startupEditor': 'none',
  'workbench.editor.useModal': 'off',
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'workbench.enableExperiments': false,
  'telemetry.telemetryLevel': 'off',
  'extensions.autoCheckUpdates': false,
  'extensions.autoUpdate': false,
  'extensions.ignoreRecommendations': true,
  'git.openRepositoryInParentFolders': 'never',
  'files.simpleDialog.enable': true,
};

export interface ServerOptions {
  /** An empty folder for everything that the server and the extension write. */
  home: string;
  /** VSIX files to install. */
  extensions: string[];
  settings?: Record<string, unknown>;
  /** Added to the environment of the server, and with it of the extension host. */
  environment?: Record<string, string>;
}

export class CodeServer {
  private constructor(
    readonly url: string,
    private readonly process: ChildProcess,
    private readonly dataFolder: string,
    readonly extensionsFolder: string,
  ) {}

  /** Installs the extension and starts the server; resolves when it answers. */
  static async start(options: ServerOptions): Promise<CodeServer> {
    const dataFolder = join(options.home, 'data');
    const extensionsFolder = join(options.home, 'extensions');
    const configuration = join(options.home, 'config.yaml');
    mkdirSync(join(dataFolder, 'User'), { recursive: true });
    mkdirSync(extensionsFolder, { recursive: true });
    writeFileSync(configuration, 'auth: none\ncert: false\n');
    writeFileSync(
      join(dataFolder, 'User', 'settings.json'),
      JSON.stringify({ ...quietSettings, ...options.settings }, null, 2),
    );
    // An empty gallery: no look-ups of extensions on the network.
    const env: NodeJS.ProcessEnv = { ...process.env, EXTENSIONS_GALLERY: '{}', ...options.environment };
    // Variables of test runners and of an editor's terminal would change what the server or the extension does.
    for (const name of [
      'PORT',
      'PASSWORD',
      'VSCODE_IPC_HOOK_CLI',
      'NODE_OPTIONS',
      'NODE_ENV',
      'VITEST',
      'LIFT_STORE',
    ]) {
      delete env[name];
    }
    const folders = ['--config', configuration, '--user-data-dir', dataFolder, '--extensions-dir', extensionsFolder];
    const installed = spawnSync(
      nodeBinary,
      [codeServerEntry, ...folders, ...options.extensions.flatMap((file) => ['--install-extension', file])],
      {
        env,
        encoding: 'utf8',
      },
    );
    if (installed.status !== 0)
      throw new Error(`the extension was not installed:\n${installed.stdout}${installed.stderr}`);
    const port = await freePort();
    const log = openSync(join(options.home, 'server.log'), 'a');
    const serverProcess = spawn(
      nodeBinary,
      [
        codeServerEntry,
        ...folders,
        ...['--auth', 'none', '--bind-addr', `127.0.0.1:${port}`, '--disable-telemetry', '--disable-update-check'],
        // A window that is gone has its extension host ended after seconds instead of hours.
        ...['--ignore-last-opened', '--reconnection-grace-time', '5'],
      ],
      // A process group of its own, so that one signal ends the server and all that it started.
      { env, detached: true, stdio: ['ignore', log, log] },
    );
    const server = new CodeServer(`http://127.0.0.1:${port}`, serverProcess, dataFolder, extensionsFolder);
    await until('the server to answer', async () => (await fetch(`${server.url}/healthz`)).ok, 90);
    return server;
  }

  /** What the log files have whose path matches: of extension hosts, of output channels. */
  logs(path: RegExp): string {
    const folder = join(this.dataFolder, 'logs');
    return readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((file) => path.test(file) && file.endsWith('.log'))
      .map((file) => readFileSync(join(folder, file), 'utf8'))
      .join('\n');
  }

  /** The folder of the extension's own data that outlives windows. */
  get globalStorage(): string {
    return join(this.dataFolder, 'User', 'globalStorage', 'lift.lift-vscode');
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.process.once('exit', resolve));
    try {
      process.kill(-this.process.pid!, 'SIGTERM');
    } catch {
      return;
    }
    await ended;
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
