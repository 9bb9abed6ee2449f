// The page of the sandbox: a WhatsApp Web that clients find under the names and habits of the real one.
//
//   base/      the module loader, event emitter, models and collections, IndexedDB: nothing of WhatsApp in it
//   comms.ts   the wire to the server (wire.ts has the frames); requests wait while the socket is down
//   store.ts   what is kept: credentials in localStorage, chats and messages in IndexedDB
//   session.ts the state machine: launch, linking, login, reconnect, logout
//   modules/   the modules that clients look up, one file per group. Names, exports and kinds are those of
//              sandbox/testdata/contract.json; a test holds the built page to it
//   media-worker.ts  the same bundle as a worker, for encrypting big files
//   faults.ts  what can be made to go wrong inside the page
//   dom.ts     the few elements that clients look for
//
// House rules of modules/: factories have no side effects; a module calls another one through R("Name").fn() at call
// time, because clients wrap exports by assigning to the namespace; nothing is exported that the contract has not.

import { install } from "./base/loader";
import { watch } from "./dom";
import { runFaultsAtStart } from "./faults";
import { inWorker, serveWorker } from "./media-worker";
import { defineActions, serveCommands } from "./modules/actions";
import { defineBase } from "./modules/base";
import { defineBusiness } from "./modules/business";
import { defineChatDeeds } from "./modules/chat-deeds";
import { defineChats } from "./modules/chats";
import { defineCollections, exposeDebug } from "./modules/collections";
import { defineConn } from "./modules/conn";
import { defineContacts } from "./modules/contacts";
import { defineEnums } from "./modules/enums";
import { defineGetters } from "./modules/getters";
import { defineGroupSettings } from "./modules/group-settings";
import { defineGroups } from "./modules/groups";
import { defineGroupNotices } from "./modules/group-notices";
import { defineIds } from "./modules/ids";
import { defineJids } from "./modules/jids";
import { defineMedia } from "./modules/media";
import { defineMediaObjects } from "./modules/media-objects";
import { defineMessages } from "./modules/messages";
import { defineMisc } from "./modules/misc";
import { definePolls } from "./modules/polls";
import { definePins } from "./modules/pins";
import { defineMsgInfo } from "./modules/msg-info";
import { defineAddressBook } from "./modules/address-book";
import { defineStanzas } from "./modules/stanzas";
import { definePrefs } from "./modules/prefs";
import { definePrivacy } from "./modules/privacy";
import { defineProfile } from "./modules/profile";
import { definePresence } from "./modules/presence";
import { defineReactions } from "./modules/reactions";
import { defineReceive } from "./modules/receive";
import { defineSend } from "./modules/send";
import { defineSettings } from "./modules/settings";
import { defineStatus } from "./modules/status";
import { defineThumbs } from "./modules/thumbs";
import { defineVcards } from "./modules/vcards";
import { launch } from "./session";

function page(): void {
  // The order is part of the simulation: a client takes the first module that looks right.
  defineBase();
  defineEnums();
  defineIds();
  defineJids();
  definePrefs();
  defineConn();
  defineContacts();
  definePresence();
  defineChats();
  defineGroups();
  defineMessages();
  defineGetters();
  defineMedia();
  defineThumbs();
  defineSend();
  defineReceive();
  defineMisc();
  defineStatus();
  defineActions();
  defineReactions();
  defineGroupSettings();
  defineGroupNotices();
  defineProfile();
  definePrivacy();
  defineVcards();
  defineMediaObjects();
  defineChatDeeds();
  definePolls();
  definePins();
  defineMsgInfo();
  defineAddressBook();
  defineStanzas();
  defineSettings();
  defineBusiness();
  defineCollections();

  runFaultsAtStart();
  install();
  watch();
  exposeDebug();
  serveCommands();
  launch();
}

if (inWorker) serveWorker();
else page();
