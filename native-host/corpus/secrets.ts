// Secrets stay out of an adapter: what is trained cannot be taken out again. A file is judged by its name, then by its content.
import { posix } from 'node:path';

/** Why a file is taken for a secret: the rule and, for a rule about content, the line. Never the secret itself. */
export interface SecretFinding {
  rule: string;
  /** From 1; null for a rule about the name. */
  line: number | null;
}

const examples = /[._-](example|sample|template|dist|defaults?|schema)(\.|$)/i;

const names: { rule: string; pattern: RegExp }[] = [
  { rule: 'environment file', pattern: /^\.env(\.|$)|^\.envrc$|\.env$/i },
  {
    rule: 'private key file',
    pattern: /\.(pem|key|p12|pfx|jks|keystore|ppk|p8|kdbx?)$|^id_(rsa|dsa|ecdsa|ed25519)$|^ssh_host_\w+_key$/i,
  },
  {
    rule: 'credentials file',
    pattern:
      /^(\.netrc|_netrc|\.pgpass|\.my\.cnf|\.htpasswd|\.git-credentials|\.dockercfg|credentials|\.boto|\.s3cfg|\.vault-token)$/i,
  },
  {
    rule: 'credentials file',
    pattern:
      /^(credentials?|secrets?|service[-_]?account[\w-]*|client_secrets?[\w.-]*)\.(json|ya?ml|toml|ini|cfg|properties|txt)$/i,
  },
  { rule: 'state with secrets', pattern: /\.tfstate(\.backup)?$|\.tfvars$|^terraform\.tfvars\.json$/i },
];

/** Whether a file's name says that it holds a secret. Examples and templates, such as `.env.example`, do not. */
export function secretByName(path: string): SecretFinding | null {
  const name = posix.basename(path);
  // A public key is no secret, a private one has no example.
  if (/\.pub$/i.test(name)) return null;
  const found = names.find(({ pattern }) => pattern.test(name));
  if (found && !(examples.test(name) && found.rule !== 'private key file')) return { rule: found.rule, line: null };
  const inCredentialsFolder =
    /(^|\/)(\.aws|\.ssh|\.gnupg|\.kube)\//.test(path) && !/\.(md|txt|pub)$|^known_hosts|^config\.example/i.test(name);
  return inCredentialsFolder ? { rule: 'credentials folder', line: null } : null;
}

/** A token whose shape alone says what it is. The sign is a cheap test that must hold before the pattern is tried. */
const tokens: { rule: string; sign: string; pattern: RegExp; check?: (match: RegExpExecArray) => boolean }[] = [
  {
    rule: 'private key',
    sign: 'PRIVATE KEY',
    pattern: /-----BEGIN (?:[A-Z]+ )*PRIVATE KEY(?: BLOCK)?-----[\s\\nr"'+,]*[A-Za-z0-9+/=:\-, ]{24,}/g,
  },
  { rule: 'AWS access key', sign: 'A', pattern: /\b(?:AKIA|ASIA)([A-Z2-7]{16})\b/g, check: varied },
  {
    rule: 'AWS secret key',
    sign: 'ecret',
    pattern: /aws_?secret_?(?:access_?)?key["']?\s{0,4}[=:]\s{0,4}["']?([A-Za-z0-9/+=]{40})(?![A-Za-z0-9/+=])/gi,
    check: varied,
  },
  { rule: 'GitHub token', sign: 'gh', pattern: /\bgh[pousr]_([A-Za-z0-9]{36,255})\b/g, check: varied },
  {
    rule: 'GitHub token',
    sign: 'github_pat_',
    pattern: /\bgithub_pat_([A-Za-z0-9]{22}_[A-Za-z0-9]{40,})\b/g,
    check: varied,
  },
  { rule: 'GitLab token', sign: 'gl', pattern: /\bgl(?:pat|dt|rt|ptt|oas)-([\w-]{20,})/g, check: varied },
  { rule: 'Slack token', sign: 'xox', pattern: /\bxox[abeoprs]-((?:\d+-)*[A-Za-z0-9-]{10,})/g, check: varied },
  {
    rule: 'Slack webhook',
    sign: 'hooks.slack.com',
    pattern: /hooks\.slack\.com\/services\/T[A-Z0-9]{6,}\/B[A-Z0-9]{6,}\/([A-Za-z0-9]{20,})/g,
    check: varied,
  },
  { rule: 'Stripe key', sign: 'k_', pattern: /\b[sr]k_(?:live|test)_([A-Za-z0-9]{20,})\b/g, check: varied },
  { rule: 'Google API key', sign: 'AIza', pattern: /\bAIza([\w-]{35})(?![\w-])/g, check: varied },
  { rule: 'Google OAuth secret', sign: 'GOCSPX-', pattern: /\bGOCSPX-([\w-]{28})/g, check: varied },
  {
    rule: 'OpenAI key',
    sign: 'sk-',
    pattern: /\bsk-(?:proj-|svcacct-|admin-)?([A-Za-z0-9_-]{32,})/g,
    check: (match) => varied(match) && /\d/.test(match[1]!) && /[A-Z]/.test(match[1]!),
  },
  { rule: 'Anthropic key', sign: 'sk-ant-', pattern: /\bsk-ant-([\w-]{30,})/g, check: varied },
  { rule: 'Hugging Face token', sign: 'hf_', pattern: /\bhf_([A-Za-z0-9]{34,})\b/g, check: varied },
  { rule: 'npm token', sign: 'npm_', pattern: /\bnpm_([A-Za-z0-9]{36})\b/g, check: varied },
  { rule: 'npm token', sign: '_authToken', pattern: /_authToken\s*=\s*(?!\s*["']?\$\{)["']?([\w./+=-]{12,})/g },
  { rule: 'PyPI token', sign: 'pypi-', pattern: /\bpypi-(AgEIcHlwaS5vcmc[\w-]{50,})/g },
  { rule: 'SendGrid key', sign: 'SG.', pattern: /\bSG\.([\w-]{22}\.[\w-]{43})\b/g, check: varied },
  { rule: 'Twilio key', sign: 'SK', pattern: /\bSK([0-9a-f]{32})\b/g, check: varied },
  { rule: 'DigitalOcean token', sign: 'do', pattern: /\bdo[oprt]_v1_([a-f0-9]{64})\b/g, check: varied },
  { rule: 'Azure storage key', sign: 'AccountKey=', pattern: /AccountKey=([A-Za-z0-9+/]{80,}={0,2})/g, check: varied },
  {
    rule: 'JSON web token',
    sign: 'eyJ',
    pattern: /\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.([A-Za-z0-9_-]{20,})/g,
    check: (match) => varied(match) && !isWellKnownToken(match[0]),
  },
  {
    rule: 'password in an address',
    sign: '://',
    pattern: /\b[a-z][a-z0-9+.-]{1,15}:\/\/[^\s:@/'"`<>${}]{1,64}:([^\s@/'"`<>${}]{8,64})@[\w.-]+/gi,
    check: (match) => !isPlaceholder(match[1]!) && looksRandom(match[1]!, 3),
  },
];

// A string given to a name, in two steps, so that no input takes long: the string first, then the name before it.
const givenString = /(?:=>|:=|[:=])\s{0,4}(["'`])([^"'`\s]{12,200})\1/g;
const secretName =
  /([\w-]*(?:password|passwd|pwd|passphrase|secret|api[_-]?key|access[_-]?key|auth[_-]?token|access[_-]?token|private[_-]?key|encryption[_-]?key|token)(?:[_-]?(?:key|value))?)["'`\]]{0,2}\s{0,4}(?::\s{0,2}\w{1,20}\s{0,2})?$/i;
const NAME_CHARACTERS = 80;
// Settings files give values without quotes, one to a line.
const givenLine =
  /^[ \t]{0,20}(?:export[ \t])?[\w.-]{0,40}(?:password|passwd|passphrase|secret|api_?key|access_?key|token|private_?key)(?:_?key|_?value)?[ \t]{0,4}[:=][ \t]{0,4}([A-Za-z0-9+/=_!@#%^&*~-]{16,200})[ \t]{0,4}\r?$/gim;

/** The first secret in a text, or null. Ordinary source, hashes of dependencies and placeholders are none. */
export function secretInText(text: string): SecretFinding | null {
  for (const { rule, sign, pattern, check } of tokens) {
    if (!text.includes(sign)) continue;
    for (const match of text.matchAll(pattern)) {
      if (/[xX*]{6}|(.)\1{9}/.test(match[0]) || (check && !check(match as RegExpExecArray))) continue;
      return { rule, line: lineOf(text, match.index) };
    }
  }
  if (!/password|passwd|pwd|passphrase|secret|key|token/i.test(text)) return null;
  for (const match of text.matchAll(givenString)) {
    const value = match[2] as string;
    const name = secretName.exec(text.slice(Math.max(0, match.index - NAME_CHARACTERS), match.index))?.[1];
    if (!name || /public|publish/i.test(name) || isPlaceholder(value) || !looksRandom(value, 3.3)) continue;
    return {
      rule: 'password or key in an assignment',
      line: lineOf(text, match.index + match[0].length - value.length),
    };
  }
  for (const match of text.matchAll(givenLine)) {
    const value = match[1] as string;
    if (isPlaceholder(value) || !looksRandom(value, 3.3) || value.replace(/\D/g, '').length < 2) continue;
    return {
      rule: 'password or key in an assignment',
      line: lineOf(text, match.index + match[0].length - value.length),
    };
  }
  return null;
}

/** A finding in words for the user. */
export function secretReason({ rule, line }: SecretFinding): string {
  return line === null ? `secret: ${rule}` : `secret: ${rule}, line ${line}`;
}

function varied(match: RegExpExecArray): boolean {
  return entropy(match[1] as string) > 2.8;
}

/** Whether a text looks drawn at random: digits between letters, no words, at least so many bits a character. */
function looksRandom(value: string, bits: number): boolean {
  if (/^[a-z]+([-_.:/ ][a-z]+)*$/i.test(value) || /^[\d.,:/-]+$/.test(value)) return false;
  // A path, an address, code or a template.
  if (/^(\.{0,2}\/|https?:|[a-z]+:\/\/|@|#)|[(){}[\];,<>]|\$\{|\.\w{2,4}$/.test(value)) return false;
  if (!/\d/.test(value) || !/[a-z]/i.test(value)) return false;
  // Words in camelCase or with separators, and a number or two: an identifier.
  const words = value
    .split(/[^A-Za-z]+|(?<=[a-z])(?=[A-Z])/)
    .filter((word) => word.length >= 4 && /^[A-Z]?[a-z]+$/.test(word));
  if (words.join('').length > 0.6 * value.length) return false;
  return entropy(value) >= bits;
}

function isPlaceholder(value: string): boolean {
  return (
    /example|sample|placeholder|dummy|changeme|change_me|your[_-]?|insert|replace|redacted|todo|xxxx|\*\*\*|\.\.\.|fake|mock|lorem|foobar|1234567|abcdef|deadbeef|test[_-]?(key|token|secret|pass)|^<.*>$|^\$|^%|process\.env/i.test(
      value,
    ) || /(.)\1{6}/.test(value)
  );
}

// The tokens of jwt.io and of many tests of libraries.
function isWellKnownToken(token: string): boolean {
  const claims = token.split('.')[1] as string;
  return /John Doe|"sub":\s*"1234567890"|"some":\s*"payload"/.test(Buffer.from(claims, 'base64url').toString('utf8'));
}

/** Shannon entropy in bits a character. */
function entropy(text: string): number {
  const counts = new Map<string, number>();
  for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= (count / text.length) * Math.log2(count / text.length);
  return bits;
}

function lineOf(text: string, index: number): number {
  let line = 1;
  for (let at = text.indexOf('\n'); at >= 0 && at < index; at = text.indexOf('\n', at + 1)) line++;
  return line;
}
