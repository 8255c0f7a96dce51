// What the end-to-end tests stand on, pinned. code-server 4.x.y carries VS Code 1.x.y; its `engines.node` names the
// major version of Node that its native modules must be compiled with.

export const codeServerVersion = '4.139.1';
export const nodeVersion = '24.21.0';

/** Debian's packages: the browser, and what compiles code-server's native modules. `file` tells whether it is there. */
export const systemPackages = [
  { name: 'chromium', file: '/usr/bin/chromium' },
  { name: 'python3', file: '/usr/bin/python3' },
  { name: 'make', file: '/usr/bin/make' },
  { name: 'g++', file: '/usr/bin/g++' },
  { name: 'pkg-config', file: '/usr/bin/pkg-config' },
  { name: 'libkrb5-dev', file: '/usr/include/gssapi/gssapi.h' },
];
