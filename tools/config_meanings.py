"""What each key of ``config.json`` means, for the reference page; a missing one fails a test."""

MEANINGS = {
    "$schema": "For editors only: completion and checking while you type.",
    "accounts": "The bots on the official platform. Without any, the environment variables "
    "`QQ_APP_ID` and `QQ_CLIENT_SECRET` make one.",
    "accounts[].app_id": "App ID from the platform's console.",
    "accounts[].app_secret": "App secret from the console. Better not written here: `env:NAME` or "
    "`file:PATH`.",
    "accounts[].self_id": "The number that applications know the bot by. Left out: the bot's QQ "
    "number if the platform tells it, else the App ID; chosen once and kept in the database.",
    "accounts[].receive": "How events come in: the gateway's WebSocket, signed webhooks, or both "
    "(each event is still reported once).",
    "accounts[].intents": "`auto` subscribes to everything and drops what the platform refuses; or "
    "a list of names.",
    "accounts[].shards": "`auto` takes the number that the platform recommends; or an object.",
    "accounts[].shards.count": "Number of shards of the whole bot.",
    "accounts[].shards.ids": "Those of them that this process runs.",
    "accounts[].owners": "Openids or numbers of people to whom every command is allowed; if there "
    "are any, `/id` is theirs alone.",
    "accounts[].platform": "`official`; `official-sandbox` (the platform's own test environment); "
    "`embedded` (the simulated platform inside this process); or an object with addresses.",
    "accounts[].platform.api_url": "Base address of the REST API.",
    "accounts[].platform.token_url": "Address that gives access tokens.",
    "accounts[].platform.gateway_url": "Address of the gateway; left out, the API is asked.",
    "server": "The listener for applications: OneBot over HTTP and WebSocket, console, metrics.",
    "server.host": "Address to listen on. Any other than this machine's own needs `access_token`.",
    "server.port": "Port of all of it; 0 takes a free one.",
    "server.access_token": "What applications have to show: `Authorization: Bearer …` or "
    "`?access_token=…`. Empty: nothing.",
    "server.allowed_origins": "Web pages that may talk to the listener, as `https://example.org`.",
    "server.http": "Serve the HTTP API.",
    "server.websocket": "Serve forward WebSocket.",
    "server.console": "Serve the web console.",
    "server.metrics": "Serve `/metrics` for Prometheus.",
    "server.message_format": "As `onebot.message_format`, for forward connections, streams "
    "and polls.",
    "server.report_self_message": "As `onebot.report_self_message`, for forward connections, "
    "streams and polls.",
    "server.heartbeat_interval": "As `onebot.heartbeat_interval`, for forward connections and "
    "streams.",
    "server.app_name": "What `get_version_info` says here, for plugins that look at it.",
    "server.filter": "Which events forward connections, streams and polls get; left out: all.",
    "webhook": "The listener for the platform's signed callbacks; opened when an account needs it.",
    "webhook.host": "Address to listen on.",
    "webhook.port": "Port; the platform calls 80, 443, 8080 and 8443 only.",
    "webhook.path": "Path of the callback address. `…/{app_id}` works as well.",
    "webhook.tls_cert": "Certificate chain (PEM); without one a reverse proxy has to do TLS.",
    "webhook.tls_key": "Its private key (PEM).",
    "webhook.proof_files": 'Files of the console\'s domain check: `{"NAME.json": "its text"}`.',
    "reverse_websocket": "Applications that the bridge dials.",
    "reverse_websocket[].url": "Address, such as `ws://127.0.0.1:8080/onebot/v11/ws`.",
    "reverse_websocket[].role": "`universal`: one connection; `split`: one for calls and one for "
    "events.",
    "reverse_websocket[].api_url": "With `split`: address of the connection for calls, if another.",
    "reverse_websocket[].event_url": "With `split`: address of that for events, if another.",
    "reverse_websocket[].access_token": "The application's token.",
    "reverse_websocket[].accounts": "Which bots it gets: `all`, or App IDs.",
    "reverse_websocket[].reconnect_interval": "Pause before dialling again.",
    "reverse_websocket[].message_format": "As `onebot.message_format`, for this application.",
    "reverse_websocket[].report_self_message": "As `onebot.report_self_message`, for this "
    "application.",
    "reverse_websocket[].heartbeat_interval": "As `onebot.heartbeat_interval`, for this "
    "application.",
    "reverse_websocket[].app_name": "What `get_version_info` says to this application.",
    "reverse_websocket[].filter": "Which events it gets; left out: all.",
    "http_post": "Applications that events are posted to.",
    "http_post[].url": "Address, such as `http://127.0.0.1:8080/onebot/v11/`.",
    "http_post[].secret": "Key of the `X-Signature` header (HMAC-SHA1). Empty: not signed.",
    "http_post[].accounts": "Which bots it gets: `all`, or App IDs.",
    "http_post[].timeout": "How long one post may take; 0 waits as long as it takes.",
    "http_post[].retries": "Repeats of a post that got no answer. Any HTTP status is an answer.",
    "http_post[].retry_interval": "Pause before a repeat.",
    "http_post[].message_format": "As `onebot.message_format`, for this application.",
    "http_post[].report_self_message": "As `onebot.report_self_message`, for this application.",
    "http_post[].heartbeat_interval": "As `onebot.heartbeat_interval`, for this application.",
    "http_post[].app_name": "No effect: who is posted to calls through the HTTP API, so set "
    "`server.app_name`.",
    "http_post[].filter": "Which events it gets; left out: all.",
    "filter.types": "`message`, `message_sent`, `notice`, `request`, also with a detail: "
    "`notice.group_increase`.",
    "filter.scenes": "Kinds of conversation.",
    "filter.groups": "Only these groups.",
    "filter.users": "Only these users.",
    "filter.deny_groups": "Not these groups.",
    "filter.deny_users": "Not these users.",
    "filter.text": "Only messages whose text matches this regular expression.",
    "onebot": "How OneBot v11 is spoken.",
    "onebot.message_format": "`message` in events: segments, or a CQ string.",
    "onebot.heartbeat_interval": "Between heartbeat events; 0 sends none.",
    "onebot.action_timeout": "Every action is answered within this time.",
    "onebot.rate_limit_interval": "Between two actions that were asked for with `_rate_limited`.",
    "onebot.strict": "Follow the letter of the standard where living implementations differ.",
    "onebot.guild_as": "A guild channel is a group, which every framework understands, or "
    "go-cqhttp's guild events.",
    "onebot.mention_self": "A group message that mentions the bot begins with an `at` of it, which "
    "the platform strips.",
    "onebot.report_self_message": "Report what the bot itself sends as `message_sent`.",
    "onebot.report_bots": "Report messages of other bots.",
    "onebot.report_unknown": "Report events of types that this version does not know as notices.",
    "onebot.interaction_ack": "Tell QQ at once that a pressed button worked; without that, whoever"
    " pressed it sees a failure.",
    "commands": "What happens to commands before applications see them.",
    "commands.strip_slash": "Take the leading `/` away.",
    "commands.aliases": 'Command to what it is replaced by: `{"菜单": "/help"}`.',
    "commands.allow": "Only messages that begin with one of these reach applications; empty: all.",
    "commands.deny": "Messages that begin with one of these do not.",
    "commands.denied_reply": "What is answered to a message that does not pass, if it calls the "
    "bot (CQ codes are read); empty: nothing.",
    "commands.id_command": "`/id` is answered by the bridge, with openids and numbers.",
    "convert": "Platform events that may be shown as messages instead.",
    "convert.button_to_message": "A pressed button or menu entry is a message of its data.",
    "convert.push_switch_to_message": "Switching the bot's own messages on or off is a message.",
    "auto_reply": "Answers of the bridge's own to messages that call the bot.",
    "auto_reply.when": "`never`, while no application is connected (`away`), or `always`.",
    "auto_reply.rules": "The first that matches gives the answer.",
    "auto_reply.rules[].pattern": "Regular expression, searched in the message's text.",
    "auto_reply.rules[].reply": "The answer; CQ codes are read.",
    "auto_reply.default": "Answer when no rule matches; empty: none.",
    "auto_reply.per_user_per_hour": "Answers to one user within an hour.",
    "auto_reply.pause": "Pause before an answer.",
    "delivery": "How messages get through.",
    "delivery.proactive": "What happens to a message that no reply window is open for: send it "
    "anyway and let the platform decide, keep it until a window opens, or refuse it.",
    "delivery.deferred_as": "How a kept message is answered: retcode 1, or as if it had been sent.",
    "delivery.defer_for": "How long a message is kept.",
    "delivery.urls": "Links, which the platform refuses unless registered: leave them, break them "
    "visibly, append a QR code, write them as Markdown links, or remove them. `auto`: Markdown in "
    "groups and private chats, broken elsewhere.",
    "delivery.url_allow": "Domains that are registered with the platform and stay as they are.",
    "delivery.unsupported": "Segments that the platform has nothing for: as text, left out, or the "
    "whole message is refused.",
    "delivery.text_limit": "Characters of one message; longer text is split.",
    "delivery.reply_limits": "Reply windows per scene, if the platform's rules change: "
    '`{"group": {"window": 300, "count": 5}}`.',
    "delivery.reply_limits.*.window": "How long a message may be replied to.",
    "delivery.reply_limits.*.count": "How often.",
    "delivery.recall_after": "Recall every sent message after this time, at most two minutes; left "
    "out: never.",
    "delivery.input_status": "Whether `set_input_status` shows that the bot is typing, which costs "
    "one reply.",
    "delivery.max_pending_events": "Events kept for an application that is away.",
    "delivery.pending_event_age": "How long they are kept, by kind.",
    "delivery.pending_event_age.group": "Group messages and events.",
    "delivery.pending_event_age.channel": "Guild channels and direct messages.",
    "delivery.pending_event_age.c2c": "Private chats.",
    "delivery.pending_event_age.request": "Requests.",
    "overrides": "Other settings for one bot, or one group.",
    "overrides[].account": "App ID; left out: every bot.",
    "overrides[].group": "Number or openid of the group; left out: everywhere.",
    "overrides[].delivery": "Keys of `delivery`.",
    "overrides[].commands": "Keys of `commands`.",
    "media": "Files that applications send by address or path.",
    "media.allow_files": "Folders that `file://` may read from; none by default.",
    "media.allow_private_addresses": "Whether addresses inside your network may be fetched.",
    "media.max_bytes": "Largest file.",
    "media.cache_folder": "Where downloaded files are kept; beside the configuration.",
    "media.cache_max_bytes": "Of all kept files together; the oldest go first.",
    "media.cache_max_age": "Seconds for which a file is kept.",
    "media.timeout": "How long one file may take to fetch.",
    "ids": "The numbers that stand for openids.",
    "ids.range": "`wide`: ten digits, above every QQ number in use; `int32`: for plugins with "
    "32-bit columns. Chosen with the first start; later changes are refused.",
    "store": "The database.",
    "store.url": "`sqlite:///PATH`; a relative path starts at the configuration file.",
    "store.durability": "`process` survives the death of the process; `power` also a power cut. "
    "Bots that receive by webhook always get `power`.",
    "store.message_days": "Messages are kept this long, in days.",
    "store.max_messages": "And at most so many.",
    "reconnect": "The gateway's pauses between attempts; it never gives up.",
    "reconnect.initial_delay": "The first pause.",
    "reconnect.max_delay": "The longest.",
    "reconnect.factor": "Each is so many times the one before.",
    "reconnect.jitter": "Share of a pause that is random.",
    "log": "What is logged, and where.",
    "log.level": "The least important that is logged.",
    "log.format": "`auto`: for people on a terminal, JSON otherwise.",
    "log.file": "A file as well; it is changed daily.",
    "log.keep_days": "Daily files that are kept.",
}

PLANNED = {
    "server.console",
    "server.metrics",
}
"""Keys, with all below them, that are read and checked but change nothing yet."""
