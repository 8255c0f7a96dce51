/** The HTML of the sidebar page: a script, a style sheet, and a policy that lets nothing else run or load. */
import { randomBytes } from 'node:crypto';
import { env, Uri, type Webview } from 'vscode';

/** The only folder that the page may load from. */
export function pageRoot(extensionUri: Uri): Uri {
  return Uri.joinPath(extensionUri, 'dist', 'webview');
}

export function pageHtml(webview: Webview, extensionUri: Uri): string {
  const root = pageRoot(extensionUri);
  const script = webview.asWebviewUri(Uri.joinPath(root, 'view.js'));
  const style = webview.asWebviewUri(Uri.joinPath(root, 'view.css'));
  const nonce = randomBytes(24).toString('base64');
  const policy = [
    "default-src 'none'",
    `style-src ${webview.cspSource}`,
    `script-src 'nonce-${nonce}'`,
    `font-src ${webview.cspSource}`,
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  return `<!DOCTYPE html>
<html lang="${escaped(env.language)}">
<head>
<meta charset="UTF-8">
<meta http-equiv="Content-Security-Policy" content="${escaped(policy)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="${escaped(style.toString())}">
<title>LIFT</title>
</head>
<body>
<div id="root"></div>
<script nonce="${nonce}" src="${escaped(script.toString())}"></script>
</body>
</html>`;
}

function escaped(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/"/g, '&quot;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
}
