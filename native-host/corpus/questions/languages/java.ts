// Java: types with their members, imports.
import { commentBefore } from '../comments.ts';
import type { SyntaxNode } from '../parse.ts';
import type { Call, CodeSymbol, Import, ReadSymbols, SymbolKind } from '../symbols.ts';
import { callsBelow, oneLine, symbolFrom } from './reading.ts';

const typeDeclarations: Record<string, SymbolKind> = {
  class_declaration: 'class',
  record_declaration: 'class',
  interface_declaration: 'interface',
  annotation_type_declaration: 'interface',
  enum_declaration: 'enum',
};

export function readJavaSymbols(root: SyntaxNode): ReadSymbols {
  const symbols: CodeSymbol[] = [];
  const imports: Import[] = [];
  root.children.forEach((node, index) => {
    if (node.type === 'import_declaration') imports.push(importOf(node));
    else readType(node, commentBefore(root.children, index), symbols);
  });
  return { symbols, imports };
}

function readType(node: SyntaxNode, doc: string | null, symbols: CodeSymbol[]): void {
  const kind = typeDeclarations[node.type];
  const name = node.child('name')?.text;
  if (!kind || !name) return;
  symbols.push(symbolFrom(node, name, kind, { doc, bases: basesOf(node) }));
  const body = node.child('body');
  const nested = body?.firstOfType('enum_body_declarations');
  for (const members of [body?.children ?? [], nested?.children ?? []]) {
    members.forEach((member, index) => {
      readMember(member, name, commentBefore(members, index), symbols);
    });
  }
}

function readMember(member: SyntaxNode, container: string, doc: string | null, symbols: CodeSymbol[]): void {
  if (member.type in typeDeclarations) readType(member, doc, symbols);
  if (member.type === 'method_declaration') {
    symbols.push(
      symbolFrom(member, member.textOf('name'), 'method', {
        container,
        doc,
        parameters: parametersOf(member),
        returns: oneLine(member.child('type')?.text ?? ''),
        calls: callsBelow(member.child('body'), callOf),
        declarationOnly: !member.child('body'),
      }),
    );
  }
  if (member.type === 'field_declaration' || member.type === 'constant_declaration') {
    const modifiers = member.firstOfType('modifiers')?.text ?? '';
    const constant =
      member.type === 'constant_declaration' || (/\bstatic\b/.test(modifiers) && /\bfinal\b/.test(modifiers));
    const declarator = member.child('declarator');
    const value = declarator?.child('value');
    if (!constant || !declarator || !value) return;
    const literal =
      /_literal$|^(true|false)$/.test(value.type) || /^-[\d._]+[LlFfDd]?$/.test(value.text) ? value.text : null;
    symbols.push(symbolFrom(member, declarator.textOf('name'), 'constant', { container, doc, value: literal }));
  }
}

function basesOf(node: SyntaxNode): string[] {
  return node.children
    .filter((child) => ['superclass', 'super_interfaces', 'extends_interfaces'].includes(child.type))
    .flatMap((child) => (child.firstOfType('type_list') ?? child).children.map((base) => oneLine(base.text)));
}

function parametersOf(method: SyntaxNode): string[] {
  return (method.child('parameters')?.children ?? []).flatMap((parameter) => {
    const name = parameter.child('name') ?? parameter.firstOfType('variable_declarator');
    return name ? [parameter.type === 'spread_parameter' ? `...${name.text}` : name.text] : [];
  });
}

function importOf(node: SyntaxNode): Import {
  const module = oneLine(node.children[0]?.text ?? '');
  return { module, names: [module.slice(module.lastIndexOf('.') + 1)], line: node.line };
}

function callOf(node: SyntaxNode): Call | null {
  if (node.type === 'object_creation_expression') return { name: node.child('type')?.text ?? '', receiver: null };
  if (node.type !== 'method_invocation') return null;
  const object = node.child('object');
  const receiver = !object || object.text === 'this' ? 'self' : oneLine(object.text).slice(0, 40);
  return { name: node.textOf('name'), receiver };
}
