import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { secretByName, secretInText, secretReason } from '../../native-host/corpus/secrets.ts';

// Put together here, so that no scanner takes this file for a leak.
const random = 'q7Zt2LmX9vBw4KsJ8hPd3NcR6yFgT1aUe5oViQ0zEx';
const some = (length: number) => random.repeat(4).slice(0, length);

describe('by name', () => {
  it.each([
    '.env',
    '.env.local',
    '.env.production',
    'config/prod.env',
    '.envrc',
    'server.pem',
    'tls/private.key',
    'id_rsa',
    '.ssh/id_ed25519',
    'cert.p12',
    'store.jks',
    '.netrc',
    '.git-credentials',
    '.htpasswd',
    '.aws/credentials',
    '.kube/config',
    'credentials.json',
    'secrets.yaml',
    'service-account-prod.json',
    'client_secret_123.apps.json',
    'terraform.tfstate',
    'prod.tfvars',
  ])('takes %s for a secret', (path) => {
    expect(secretByName(path)).not.toBeNull();
  });

  it.each([
    '.env.example',
    '.env.sample',
    '.env.template',
    'config/.env.dist',
    'id_rsa.pub',
    'src/credentials.ts',
    'src/secrets.py',
    'docs/keys.md',
    'environment.ts',
    'keyboard.key.ts',
    'secret-store.go',
    '.npmrc',
    'credentials.example.json',
    'tfstate.go',
  ])('takes %s for no secret', (path) => {
    expect(secretByName(path)).toBeNull();
  });
});

describe('by content', () => {
  const leaks: [string, string, string][] = [
    [
      'private key',
      'private key',
      `-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA${some(40)}\n-----END RSA PRIVATE KEY-----`,
    ],
    ['private key in a string', 'private key', `key = "-----BEGIN PRIVATE KEY-----\\nMIIEvQIBADANBgkq${some(40)}\\n"`],
    ['OpenSSH key', 'private key', `-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA${some(30)}`],
    ['AWS key id', 'AWS access key', `aws_access_key_id = AKIA${'Q3ZT7LMX2VBW4KSJ'}`],
    ['AWS secret', 'AWS secret key', `aws_secret_access_key=${some(40)}`],
    ['GitHub token', 'GitHub token', `const t = "ghp_${some(36)}";`],
    ['GitHub fine-grained token', 'GitHub token', `github_pat_${some(22)}_${some(59)}`],
    ['GitLab token', 'GitLab token', `token: glpat-${some(20)}`],
    ['Slack token', 'Slack token', `xoxb-123456789012-${some(24)}`],
    ['Stripe key', 'Stripe key', `stripe.api_key = 'sk_live_${some(24)}'`],
    ['Google key', 'Google API key', `key=AIza${some(35)}`],
    ['OpenAI key', 'OpenAI key', `OPENAI_API_KEY=sk-proj-${some(48)}`],
    ['npm token', 'npm token', `//registry.npmjs.org/:_authToken=npm_${some(36)}`],
    ['npm token of another registry', 'npm token', `//npm.example.org/:_authToken=${some(30)}`],
    ['JSON web token', 'JSON web token', `Bearer eyJhbGciOiJIUzI1NiJ9.eyJ1c2VyIjoiYWRtaW4iLCJpYXQiOjF9.${some(43)}`],
    ['address with a password', 'password in an address', `postgres://admin:${some(16)}@db.internal:5432/app`],
    ['password', 'password or key in an assignment', `const password = '${some(20)}';`],
    ['key in JSON', 'password or key in an assignment', `{ "apiKey": "${some(32)}" }`],
    ['typed constant', 'password or key in an assignment', `private readonly authToken: string = "${some(32)}";`],
    ['setting without quotes', 'password or key in an assignment', `DB_PASSWORD=${some(24)}`],
  ];

  it.each(leaks)('finds a %s, with rule and line', (_, rule, text) => {
    const finding = secretInText(`first line\nsecond line\n${text}\nlast line\n`);
    expect(finding).toEqual({ rule, line: 3 });
    expect(secretReason(finding!)).toBe(`secret: ${rule}, line 3`);
  });

  it.each([
    ['a variable', 'const password = process.env.DATABASE_PASSWORD_V2;'],
    ['a placeholder', 'password = "your-password-here-123"'],
    ['a form label', `password: 'Passwords must have 8 characters or more'`],
    ['a name of a token', "const tokenType = 'application/vnd.github.v3+json';"],
    ['an npm variable', `//registry.npmjs.org/:_authToken=\${NPM_TOKEN}`],
    ['a public key', '-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A\n-----END PUBLIC KEY-----'],
    ['a mention of a private key', "if (line.startsWith('-----BEGIN PRIVATE KEY-----')) return parse(line);"],
    [
      'the token of jwt.io',
      'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c',
    ],
    ['a sum', '"integrity": "sha512-q7Zt2LmX9vBw4KsJ8hPd3NcR6yFgT1aUe5oViQ0zEx=="'],
    ['an address without password', 'https://user@example.org/path?token=abc'],
    ['xxx', `const apiKey = 'sk_live_${'x'.repeat(24)}';`],
    ['token kinds', "export const accessToken = 'access_token_v2';"],
    ['a key of a map', "const key = 'aB3-dE6';"],
  ])('takes %s for no secret', (_, text) => {
    expect(secretInText(text)).toBeNull();
  });

  it('finds nothing in the sources of this project and of packages', () => {
    const folders = [
      'native-host',
      'workspace',
      'node_modules/commander',
      'node_modules/chokidar',
      'node_modules/minisearch/src',
      'node_modules/vscode-jsonrpc/lib',
    ];
    const found: string[] = [];
    for (const folder of folders) {
      for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
        if (!entry.isFile() || !/\.(ts|js|mjs|json|md)$/.test(entry.name)) continue;
        const file = join(entry.parentPath, entry.name);
        const finding = secretByName(file) ?? secretInText(readFileSync(file, 'utf8'));
        if (finding) found.push(`${file}: ${secretReason(finding)}`);
      }
    }
    expect(found).toEqual([]);
  });

  it('ends soon on texts that are made to keep it busy', () => {
    const texts = [
      'a'.repeat(300_000),
      'eyJ'.repeat(100_000),
      'password_'.repeat(40_000),
      `${'"token": "'.repeat(30_000)}`,
      'A=B '.repeat(80_000),
      'x://'.repeat(80_000),
      '-----BEGIN '.repeat(30_000),
      'key = '.repeat(60_000),
      `${'_-a.'.repeat(80_000)}= "`,
    ];
    for (const text of texts) expect(secretInText(text)).toBeNull();
  });
});
