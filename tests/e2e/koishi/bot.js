// A Koishi plugin as a user would write one. The tests load it beside what docs/frameworks shows.
'use strict'

const { h } = require('koishi')

const PICTURE = `data:image/png;base64,${process.env.PICTURE_BASE64}`

function named(member) {
  // Koishi 4.14 names the fields otherwise.
  return member.nick || member.user?.name || member.nickname || member.username
}

async function recall(session) {
  const [id] = await session.send('gone soon')
  await session.bot.deleteMessage(session.channelId, id)
  return 'recalled'
}

async function who(session) {
  const member = await session.bot.getGuildMember(session.guildId, session.userId)
  const [role] = member.roles
  return `${named(member)} is ${role.id || role}`
}

const node = (userId, nickname, text) =>
  h('message', {}, [h('author', { id: userId, userId, name: nickname, nickname }), text])

const commands = {
  '/at': session => [h.at(session.userId), ' hello'],
  '/pic': () => ['here', h.image(PICTURE, { url: PICTURE })],
  '/recall': recall,
  '/who': who,
  '/forward': session => h('message', { forward: true }, [
    node(session.selfId, '甲', 'first'),
    node(session.selfId, '乙', 'second'),
  ]),
  '/long': () => '很长的消息'.repeat(1000),
}

module.exports.name = 'bot'
module.exports.apply = ctx => ctx.middleware(async (session, next) => {
  // Koishi 4.14 calls it parsed.
  const text = (session.stripped ?? session.parsed).content.trim()
  if (text.startsWith('/echo ')) return text.slice('/echo '.length)
  if (text.startsWith('/call ')) {
    const [called] = h.select(session.elements, 'at').filter(at => at.attrs.id !== session.selfId)
    return [h.at(called.attrs.id), ' you are called']
  }
  if (Object.hasOwn(commands, text)) return commands[text](session)
  if (session.quote) {
    const quoted = h.select(session.quote.elements, 'text').map(e => e.attrs.content).join('')
    return [h.quote(session.messageId), `you quoted: ${quoted.trim()}`]
  }
  return next()
})
