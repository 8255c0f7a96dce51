// C and C++: functions and their prototypes, structs, classes, enums, macros with a literal value, includes.
import { commentBefore } from '../comments.ts';
import type { SyntaxNode } from '../parse.ts';
import type { Call, CodeSymbol, Import, ReadSymbols } from '../symbols.ts';
import { callsBelow, oneLine, symbolFrom, unquoted } from './reading.ts';

const literals = /^(-?(0x[\da-f]+|\d[\d.]*(e[+-]?\d+)?)[ulf]*|"[^"]*"|'[^']*')$/i;
const transparent = new Set([
  'preproc_ifdef',
  'preproc_if',
  'preproc_else',
  'preproc_elif',
  'linkage_specification',
  'declaration_list',
  'template_declaration',
]);

export function readCSymbols(root: SyntaxNode): ReadSymbols {
  const symbols: CodeSymbol[] = [];
  const imports: Import[] = [];
  readItems(root.children, null, symbols, imports);
  return { symbols, imports };
}

function readItems(
  items: readonly SyntaxNode[],
  container: string | null,
  symbols: CodeSymbol[],
  imports: Import[],
): void {
  items.forEach((node, index) => {
    const doc = commentBefore(items, index);
    if (transparent.has(node.type)) {
      readItems(node.children, container, symbols, imports);
      return;
    }
    switch (node.type) {
      case 'preproc_include':
        imports.push({ module: unquoted(node.child('path')?.text ?? ''), names: [], line: node.line });
        break;
      case 'preproc_def': {
        const value = oneLine((node.child('value')?.text ?? '').replace(/\/[*/].*$/s, ''));
        const name = node.child('name')?.text;
        // An include guard has no value.
        if (name && value)
          symbols.push(symbolFrom(node, name, 'macro', { doc, value: literals.test(value) ? value : null }));
        break;
      }
      case 'preproc_function_def': {
        const parameters = node.child('parameters')?.children.map((parameter) => parameter.text) ?? [];
        symbols.push(symbolFrom(node, node.textOf('name'), 'macro', { doc, parameters }));
        break;
      }
      case 'namespace_definition':
        readItems(node.child('body')?.children ?? [], container, symbols, imports);
        break;
      case 'function_definition':
        addFunction(node, container, doc, symbols);
        break;
      case 'declaration':
      case 'field_declaration':
        readDeclaration(node, container, doc, symbols);
        break;
      case 'type_definition': {
        const type = node.child('type');
        const name = node.child('declarator');
        if (type) readType(type, doc, symbols, name?.text);
        if (name?.type === 'type_identifier' && !type?.child('body'))
          symbols.push(symbolFrom(node, name.text, 'type', { doc }));
        break;
      }
      case 'alias_declaration':
        symbols.push(symbolFrom(node, node.textOf('name'), 'type', { doc }));
        break;
      default:
        readType(node, doc, symbols);
    }
  });
}

function readType(node: SyntaxNode, doc: string | null, symbols: CodeSymbol[], typedefName?: string): void {
  const body = node.child('body');
  const name = node.child('name')?.text ?? typedefName;
  if (!body || !name || !/^\w+$/.test(name)) return;
  if (node.type === 'enum_specifier') {
    symbols.push(symbolFrom(node, name, 'enum', { doc }));
    const scoped = /^enum\s+(class|struct)\b/.test(node.text);
    for (const member of body.children) {
      const value = member.child('value')?.text;
      if (value && literals.test(value))
        symbols.push(symbolFrom(member, member.textOf('name'), 'constant', { container: scoped ? name : null, value }));
    }
  } else if (['struct_specifier', 'class_specifier', 'union_specifier'].includes(node.type)) {
    const bases =
      node
        .firstOfType('base_class_clause')
        ?.children.filter((child) => child.type !== 'access_specifier')
        .map((child) => child.text) ?? [];
    symbols.push(symbolFrom(node, name, node.type === 'class_specifier' ? 'class' : 'struct', { doc, bases }));
    readItems(body.children, name, symbols, []);
  }
}

function readDeclaration(node: SyntaxNode, container: string | null, doc: string | null, symbols: CodeSymbol[]): void {
  const type = node.child('type');
  if (type) readType(type, doc, symbols);
  if (functionDeclarator(node)) {
    addFunction(node, container, doc, symbols);
    return;
  }
  const initialised = node.firstOfType('init_declarator');
  const declarator = initialised?.child('declarator') ?? node.child('declarator');
  const value = initialised?.child('value') ?? node.child('default_value');
  const name = declarator && innerName(declarator);
  if (!name || (container !== null && !value)) return;
  const constant = node.children.some((child) => child.type === 'type_qualifier' && /^const/.test(child.text));
  const literal = constant && value && literals.test(value.text) ? value.text : null;
  symbols.push(
    symbolFrom(node, name, constant ? 'constant' : 'variable', {
      container,
      doc,
      value: literal,
      declarationOnly: !value && /^extern\b/.test(node.text),
    }),
  );
}

function addFunction(node: SyntaxNode, container: string | null, doc: string | null, symbols: CodeSymbol[]): void {
  const declarator = functionDeclarator(node);
  const named = declarator?.child('declarator');
  if (!declarator || !named) return;
  const scopes = named.text.split('::');
  const name = scopes.pop() as string;
  const owner = scopes.pop() ?? container;
  // Constructors, destructors, operators and what a macro made unreadable.
  if (!/^\w+$/.test(name) || name === owner) return;
  const trailing = declarator.firstOfType('trailing_return_type')?.text.replace(/^->\s*/, '');
  const body = node.child('body');
  symbols.push(
    symbolFrom(node, name, owner === null ? 'function' : 'method', {
      container: owner,
      doc,
      parameters: parametersOf(declarator),
      returns: trailing ?? returnType(node),
      calls: callsBelow(body, callOf),
      declarationOnly: !body,
    }),
  );
}

function functionDeclarator(node: SyntaxNode): SyntaxNode | null {
  let at = node.child('declarator');
  while (at && at.type !== 'function_declarator') {
    if (at.type !== 'pointer_declarator' && at.type !== 'reference_declarator') return null;
    at = at.child('declarator') ?? at.firstOfType('function_declarator');
  }
  // `int (*callback)(void)` declares a variable.
  return at?.child('declarator')?.type === 'parenthesized_declarator' ? null : at;
}

function returnType(node: SyntaxNode): string | null {
  const type = node.child('type');
  if (!type) return null;
  const constant = node.children.some(
    (child) => child.type === 'type_qualifier' && child.end <= type.start && child.text === 'const',
  );
  let stars = '';
  for (
    let at = node.child('declarator');
    at && at.type !== 'function_declarator';
    at = at.child('declarator') ?? at.firstOfType('function_declarator')
  ) {
    stars += at.type === 'reference_declarator' ? '&' : '*';
  }
  return `${constant ? 'const ' : ''}${oneLine(type.text)}${stars ? ` ${stars}` : ''}`;
}

function parametersOf(declarator: SyntaxNode): string[] {
  const parameters = declarator.child('parameters')?.children ?? [];
  return parameters.flatMap((parameter) => {
    const inner = parameter.child('declarator');
    const name = inner && innerName(inner);
    return name ? [name] : [];
  });
}

function innerName(declarator: SyntaxNode): string | null {
  if (/identifier$/.test(declarator.type)) return declarator.text;
  for (const child of declarator.children) {
    if (child.field === 'declarator' || /declarator$|identifier$/.test(child.type)) return innerName(child);
  }
  return null;
}

function callOf(node: SyntaxNode): Call | null {
  if (node.type !== 'call_expression') return null;
  const callee = node.child('function');
  if (callee?.type === 'identifier') return { name: callee.text, receiver: null };
  if (callee?.type === 'qualified_identifier')
    return { name: callee.textOf('name'), receiver: callee.child('scope')?.text ?? '' };
  if (callee?.type !== 'field_expression') return null;
  const object = callee.textOf('argument');
  return { name: callee.textOf('field'), receiver: object === 'this' ? 'self' : oneLine(object).slice(0, 40) };
}
