// Where the workbench of the end-to-end tests lies on this machine: about a gigabyte, made once, outside the repository.
import { homedir } from 'node:os';
import { join } from 'node:path';

/** $LIFT_E2E_HOME, or a folder of the user's cache. */
export const workbenchHome = process.env.LIFT_E2E_HOME ?? join(homedir(), '.cache', 'lift-vscode-e2e');

/** The distribution of Node that runs code-server: its binary and, to compile against, its headers. */
export const nodeFolder = join(workbenchHome, 'node', 'node_modules', `node-linux-${process.arch}`);
export const nodeBinary = join(nodeFolder, 'bin', 'node');

export const codeServerFolder = join(workbenchHome, 'code-server');
export const codeServerEntry = join(codeServerFolder, 'node_modules', 'code-server', 'out', 'node', 'entry.js');

/** $LIFT_E2E_CHROMIUM, or Debian's. */
export const chromiumBinary = process.env.LIFT_E2E_CHROMIUM ?? '/usr/bin/chromium';
