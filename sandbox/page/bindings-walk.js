// Says which module each binding of wa-js resolves to: a function that is called in a global where wa-js has just been
// evaluated and has asked for nothing yet. Used by bindings.mjs over the contract, and by a test in the page.
//
// wa-js looks at the modules in their order, through importNamespace, and loads the first that fits once more; so the
// module that was asked for twice in a row is the one. React, which it asks for in between, does not count.
(function bindingsOf(global) {
  const GROUPS = ["contants", "enums", "functions", "multidevice", "websocket"];
  const plain = global.importNamespace;
  let asked = [];
  global.importNamespace = (id) => {
    if (id !== "WAWebReact") asked.push(id);
    return plain(id);
  };
  const found = {};
  const walk = (path, namespace) => {
    for (const name of Object.keys(namespace)) {
      if (name === "_moduleIdMap") continue;
      asked = [];
      let value;
      try {
        value = namespace[name];
      } catch {
        // the module fits and its export does not: which module it is has been asked for
      }
      const at = asked.length - 1;
      if (at >= 0) found[path + name] = at === 0 || asked[at] === asked[at - 1] ? asked[at] : null;
      else if (GROUPS.includes(path + name)) walk(path + name + ".", value);
    }
  };
  walk("", global.WPP.whatsapp);
  global.importNamespace = plain;
  return found;
})
