/**
 * A plugin for `deno lint` that finds two mistakes of programs that port PyTorch's: a value that is read and not awaited,
 * and JavaScript's operators on tensors.
 *
 * In `deno.json`:
 *
 * ```json
 * { "lint": { "plugins": ["https://…/src/lint/mod.ts"] } }
 * ```
 *
 * `cresset/await-values`: `item()`, `tolist()`, `equal()` and `allclose()` give promises, because devices are read
 * asynchronously; `if (loss.item() < 0.1)` compares a promise. `cresset/no-tensor-operators`: `a + b`, `a == b` and `if (a)`
 * of a variable that a call of `torch` in the same file made; JavaScript has no operators for objects.
 *
 * Both go by names in one file, so they need no types, and say nothing of what they cannot see.
 *
 * @module
 */

/** Methods and functions that give the promise of a value. */
const PROMISES = new Set(["item", "tolist", "equal", "allclose"]);

/** Functions of `torch` whose results are no tensors. */
const NO_TENSOR =
  /^(is|get|set|use|manual|initial|open|default|can|promote|result|device|finfo|iinfo|numel|seed|scalar$|dtype|size|compile|no|enable|inference|save|load|info|equal$|allclose$|nonzero$|unique|maskedSelect|argwhere|bincount|histc|split|chunk|unbind|meshgrid|max$|min$|sort|topk|median|mode|kthvalue|cummax|cummin|aminmax|stdMean|varMean)/;

/** Methods of tensors that give other things. */
const NO_TENSOR_METHOD =
  /^(is|size|dim$|numel|item|tolist|read|numpy|stride|storage|elementSize|backward|dispose|equal|allclose|register|toString|element|nonzero|unique|atMask|maskedSelect|split|chunk|unbind|max$|min$|sort|topk|median|mode|kthvalue|retainGrad|data)/;

type Node = Deno.lint.Node;

/** The name of the method or function that a call calls, and what it is called on. */
function calleeOf(node: Node): { name: string; on: Node | null } | null {
  if (node.type !== "CallExpression") return null;
  const { callee } = node;
  if (callee.type === "Identifier") return { name: callee.name, on: null };
  if (callee.type !== "MemberExpression" || callee.property.type !== "Identifier" || callee.computed) return null;
  return { name: callee.property.name, on: callee.object };
}

/** Calls that use a value at once, so that a promise given to them is a mistake. */
const USES = new Set(["Number", "String", "Boolean", "parseFloat", "isNaN"]);

/** Whether an expression stands where a promise makes no sense. */
function isUsed(node: Deno.lint.CallExpression): boolean {
  const parent = node.parent as Node;
  switch (parent.type) {
    case "ExpressionStatement":
    case "BinaryExpression":
    case "TemplateLiteral":
    case "UnaryExpression":
      return true;
    case "LogicalExpression":
      return parent.left === node;
    case "IfStatement":
    case "WhileStatement":
    case "DoWhileStatement":
    case "ConditionalExpression":
      return parent.test === node;
    case "AssignmentExpression":
      return parent.operator !== "=";
    case "CallExpression": {
      const callee = calleeOf(parent);
      if (callee === null || parent.callee === node) return false;
      if (callee.on === null) return USES.has(callee.name);
      return callee.on.type === "Identifier" && ["console", "Math"].includes(callee.on.name);
    }
    default:
      return false;
  }
}

const awaitValues: Deno.lint.Rule = {
  create(context) {
    return {
      CallExpression(node) {
        const callee = calleeOf(node);
        if (callee === null || callee.on === null || !PROMISES.has(callee.name) || !isUsed(node)) return;
        context.report({
          node,
          message: `${callee.name}() gives a promise; write await ….${callee.name}(…)`,
          fix: (fixer) => fixer.replaceText(node, `(await ${context.sourceCode.getText(node)})`),
        });
      },
    };
  },
};

const noTensorOperators: Deno.lint.Rule = {
  create(context) {
    const tensors = new Set<string>(), declared = new Set<string>();
    let torch: string | null = null;
    const isTensor = (node: Node): boolean => {
      if (node.type === "Identifier") return tensors.has(node.name);
      const callee = calleeOf(node);
      if (callee === null || callee.on === null) return false;
      if (callee.on.type === "Identifier" && callee.on.name === torch) return !NO_TENSOR.test(callee.name);
      return isTensor(callee.on) && !NO_TENSOR_METHOD.test(callee.name);
    };
    const refuse = (node: Node, what: string, remedy: string) =>
      context.report({ node, message: `a tensor has no ${what} of its own; ${remedy}` });
    const test = ({ test }: { test: Node | null }) => {
      if (test !== null && isTensor(test)) refuse(test, "truth", "write await ….item(), or ask for what is meant");
    };
    return {
      ImportDeclaration({ specifiers, source }) {
        if (!/cresset|\/mod\.ts$/.test(source.value)) return;
        for (const s of specifiers) if (s.type === "ImportNamespaceSpecifier") torch = s.local.name;
      },
      VariableDeclarator({ id, init }) {
        if (id.type !== "Identifier") return;
        // A name of two variables is not followed: scopes are not looked at.
        if (declared.has(id.name)) tensors.delete(id.name);
        else if (init && isTensor(init)) tensors.add(id.name);
        declared.add(id.name);
      },
      BinaryExpression(node) {
        const { operator, left, right } = node;
        if (operator === "in" || operator === "instanceof") return;
        const other = [left, right].find((side) => side.type === "Literal" && side.value === null);
        if (other !== undefined || !(isTensor(left as Node) || isTensor(right as Node))) return;
        const method = METHODS[operator];
        refuse(node, operator, method === undefined ? "use a method" : `write a.${method}(b)`);
      },
      IfStatement: test,
      WhileStatement: test,
      ConditionalExpression: test,
    };
  },
};

/** The method for an operator. */
const METHODS: Readonly<Record<string, string>> = {
  "+": "add",
  "-": "sub",
  "*": "mul",
  "/": "div",
  "**": "pow",
  "%": "remainder",
  "==": "eq",
  "===": "eq",
  "!=": "ne",
  "!==": "ne",
  "<": "lt",
  "<=": "le",
  ">": "gt",
  ">=": "ge",
  "&": "bitwiseAnd",
  "|": "bitwiseOr",
  "^": "bitwiseXor",
};

/** The plugin. */
const plugin: Deno.lint.Plugin = {
  name: "cresset",
  rules: { "await-values": awaitValues, "no-tensor-operators": noTensorOperators },
};

export default plugin;
