-- A value that many ops of one call work on: its text stays as it was read, and the changes are a list of pieces,
-- joined once. What one op has found, the next ones need not look for again. Stands inside the function `many` of
-- apply.lua.
--
-- A document is
--   text, root   its text, and where the value in it begins
--   pieces       what becomes of it: each replaces from..to by the parts 1..n, texts or documents. None overlaps
--                another.
--   count, last  how many pieces; where the last one begins, nil: they are not in order
--   facts        what is known of the containers in text, by where they begin; true whatever is changed
--   inside       the containers in which something changes, by where they begin
--   owners       by the position of a value the piece that replaces it; false: it is removed
--   shapes       by the position of a container how its members or elements change: added, members by what their
--                names mean; pushed, how many elements, several: some of them in one part; front, back: how many
--                elements are gone; ahead: how many came before the first one; commas, cut_last: of removed members;
--                tail: the piece behind the last one; head: that before the first one, its parts in reverse; stale
--   length       of the value, with all changes
--   since        how many edits there were when it was made from what was read, nil of others
--   padded       something with white space around it was put in, which later ops may remove
-- A value that was replaced or added is a document of its own as soon as an op goes into it.
--
-- Positions count in the text as it was read. So each op must see a value in which what it looks at did not change,
-- or changed in a way that is known here. Else it says STALE, the pieces are joined, and it runs again on the new
-- text.
-- @define STALE pieces

-- @include "lib/facts.lua"

-- ---- Changes that can be undone ----

local journal, noted = {}, 0
local NONE = {}

local function put(t, k, v)
  local old = t[k]
  if old == nil then old = NONE end
  journal[noted + 1], journal[noted + 2], journal[noted + 3] = t, k, old
  noted = noted + 3
  t[k] = v
end

function pieces.start_group()
  noted = 0
end

function pieces.undo()
  for n = noted, 3, -3 do
    local old = journal[n]
    if old == NONE then old = nil end
    journal[n - 2][journal[n - 1]] = old
  end
  noted = 0
end

-- ---- Documents ----

-- The document of a text, which becomes the text under work.
function pieces.document(of)
  text, partial = of, false
  local facts = new_facts()
  return {
    text = of, root = facts.root, length = #of, pieces = {}, count = 0, last = 0,
    facts = facts, inside = {}, owners = {}, shapes = {},
  }
end

-- The pieces in the order of the text, what is inserted before what is replaced. By merging, since table.sort is
-- quadratic on some orders.
local function in_order(list, count)
  local width = 1
  while width < count do
    local merged, n = {}, 0
    for start = 1, count, 2 * width do
      local a, b = start, start + width
      local a_end, b_end = b, b + width
      while n < count and (a < a_end and list[a] or b < b_end and list[b]) do
        local x, y = a < a_end and list[a], b < b_end and list[b]
        n = n + 1
        if not y or x and (x.from < y.from or x.from == y.from and x.to <= y.to) then
          merged[n], a = x, a + 1
        else
          merged[n], b = y, b + 1
        end
      end
    end
    list, width = merged, 2 * width
  end
  return list
end

-- Joins the n texts of p. The server hashes each string that is made. table.concat makes one after the other of what
-- it has so far; an expression makes one in all.
local function glue(p, n)
  while n > 1 do
    for k = n + 1, n + 31 do p[k] = '' end
    local m = 0
    for k = 1, n, 32 do
      m = m + 1
      p[m] = p[k] .. p[k + 1] .. p[k + 2] .. p[k + 3] .. p[k + 4] .. p[k + 5] .. p[k + 6] .. p[k + 7]
        .. p[k + 8] .. p[k + 9] .. p[k + 10] .. p[k + 11] .. p[k + 12] .. p[k + 13] .. p[k + 14] .. p[k + 15]
        .. p[k + 16] .. p[k + 17] .. p[k + 18] .. p[k + 19] .. p[k + 20] .. p[k + 21] .. p[k + 22] .. p[k + 23]
        .. p[k + 24] .. p[k + 25] .. p[k + 26] .. p[k + 27] .. p[k + 28] .. p[k + 29] .. p[k + 30] .. p[k + 31]
    end
    n = m
  end
  return p[1]
end

-- The pieces of a document in order.
local function ordered(of)
  if of.last then return of.pieces end
  -- Behind the last one may stand some that were undone.
  local mine = {}
  for k = 1, of.count do mine[k] = of.pieces[k] end
  return in_order(mine, of.count)
end

-- The text of a document with its changes; with list, its pieces in order, what becomes of first..last, in which all
-- of them stand.
function pieces.join(of, list, first, last)
  if of.count == 0 then return of.text end
  local whole = of.text
  list = list or ordered(of)
  local parts, n, at = {}, 0, first or 1
  for k = 1, of.count do
    local piece = list[k]
    if piece.from < at then fail('CORRUPT') end
    parts[n + 1] = sub(whole, at, piece.from - 1)
    n = n + 1
    for m = 1, piece.n do
      local part = piece[piece.is_head and piece.n + 1 - m or m]
      n = n + 1
      parts[n] = type(part) == 'table' and pieces.join(part) or part
    end
    at = piece.to + 1
  end
  parts[n + 1] = sub(whole, at, last or -1)
  return glue(parts, n + 1)
end

-- What to write of a document: its whole text or, where its changes stand close together in what Redis has, that and
-- the one change that covers all of them. It is written in place where it can be, as a single one is. Where it
-- cannot, its text is made once more than it need be, so it must not be long.
function pieces.result(of)
  if of.count == 0 or of.since ~= 0 then return pieces.join(of) end
  local list = ordered(of)
  local from, to = list[1].from, list[of.count].to
  if of.length ~= #of.text and to - from > #of.text / 8 then return pieces.join(of, list) end
  return of.text, from, to, pieces.join(of, list, from, to)
end

-- The document under work; where it is a part, the piece and its number there. The containers on the way to the
-- target, those of this document, by their number; whether the target is a part itself.
local work, holder, slot
local way, steps, is_part = {}, 0, false

local function join_all()
  document = pieces.document(pieces.join(document))
end

-- Goes on in a part.
local function enter(piece, number)
  local part = piece[number]
  if type(part) == 'string' then
    part = pieces.document(part)
    piece[number] = part
  end
  work, holder, slot, steps, is_part = part, piece, number, 0, true
  text = part.text
  return part.root
end

-- ---- Finding, with what is known ----

-- How many elements the array at p has, with those that came and went.
local function elements(p, shape)
  local fact = work.facts[p]
  if not (fact and fact.count) then
    local _
    _, fact = known_element(work.facts, p)
  end
  if not shape then return fact.count end
  return fact.count - (shape.front or 0) - (shape.back or 0) + (shape.pushed or 0) + (shape.ahead or 0)
end

-- Walks the path first..last. The value, and the start of its member or element; where it is absent nil, nil, the
-- number of the segment, the container, its closing bracket, and of an array the number of elements. Or STALE.
local function walk(first, last)
  work, holder, slot, steps, is_part = document, nil, nil, 0, false
  text, segment = document.text, 0
  local p, at = document.root, nil
  local owner = document.owners[p]
  if owner then p = enter(owner, 1) end
  for k = first, last do
    local b, s = byte(text, p), tokens[k]
    local quoted = byte(s) == QUOTE
    local shape = work.shapes[p]
    local v
    steps = steps + 1
    way[steps] = p
    is_part = false
    if shape and shape.stale then return STALE end
    if b == OPEN_OBJECT then
      local name, close = quoted and s or '"' .. s .. '"'
      at, v, close = known_member(work.facts, p, name)
      if not v then
        local added = shape and shape.added
        local number = added and added[meaning(name)]
        if not number then return nil, nil, k, p, close end
        v = enter(shape.tail, number)
      end
    elseif b == OPEN_LIST then
      local n = tonumber(quoted and rare().index(s) or s)
      if n < 0 then
        n = n + elements(p, shape)
        if n < 0 then return nil, nil, k, p, work.facts[p].close, elements(p, shape) end
      end
      local fact
      local was = n -- its number in the text
      if shape then
        local ahead = shape.ahead or 0
        if n < ahead then return STALE end -- one that was added
        was = n - ahead + (shape.front or 0)
      end
      v, fact = known_element(work.facts, p, was)
      if v and shape and shape.back and was >= elements(p) - shape.back then v = nil end
      at = v
      if not v then
        local count = elements(p, shape)
        if n >= count then return nil, nil, k, p, fact.close, count end
        if shape.several then return STALE end
        v = enter(shape.tail, 2 * (n - count + shape.pushed + 1)) -- one that was added
      end
    else
      fail('TYPE', rare().type_of(p))
    end
    if not is_part then
      owner = work.owners[v]
      if owner then
        v = enter(owner, 1)
      elseif owner == false then
        return STALE -- removed: another one of its name may follow
      end
    end
    p = v
    segment = segment + 1
  end
  return p, at
end

-- ---- One op ----

-- What the op changes, for keep():
--   value     the value at `container` is replaced
--   tail      behind the last part of the container stands more: a member of this name, or so many elements; the
--             comma and the name stand in `lead`, not in the fragment
--   cut       the member with the value at `head` goes, with this comma; maybe it is the last
--   ends      the first element of the container goes, if `head`, else the last
--   untail    the last part of the tail of the container goes, which is one element
--   head      before the first element of the container stand so many more
--   elements  the elements of the container change in a way that is not followed
local change, container, head, lead, member_name, pushed, comma, is_last

-- Adds a value, of a member of this name or so many elements, behind those of the container at p that ends at close.
local function add_tail(reply, p, close, value, name, count)
  local shape = work.shapes[p]
  if shape and (shape.stale or shape.cut_last) then return STALE end
  local q = close
  repeat q = q - 1 until byte(text, q) > SPACE
  -- The text does not know what was added before.
  lead = q == p and not (shape and shape.tail and shape.tail.n > 0) and '' or ','
  if name then lead = lead .. name .. ':' end
  change, container, member_name, pushed = 'tail', p, name, count
  return reply, q + 1, q, value
end

-- Removes the first or the last element of the array at p, where one of those that were read stays. Nil where none
-- does, or where the element has changed.
local function from_end(p, shape, is_first)
  if shape and shape.stale then return nil end
  local tail = not is_first and shape and shape.tail
  if tail and tail.n > 0 then
    if shape.several then return nil end
    local part = tail[tail.n]
    if type(part) == 'table' then part = pieces.join(part) end
    change, container = 'untail', p
    return part, 1, #tail[tail.n - 1] + #part
  end
  local front, back = shape and shape.front or 0, shape and shape.back or 0
  local v, from, to, e
  if is_first then
    if shape and shape.head then return nil end
    v = known_element(work.facts, p, front)
    local next_one = v and known_element(work.facts, p, front + 1)
    if not next_one or back > 0 and front + 1 >= elements(p) - back then return nil end
    e = value_end(v)
    from, to = v, next_one - 1
  else
    local n = elements(p) - back - 1
    if n <= front then return nil end
    v = known_element(work.facts, p, n)
    e = value_end(v)
    from, to = v, e
    repeat from = from - 1 until byte(text, from) > SPACE
    if byte(text, from) ~= COMMA then fail('CORRUPT') end
    -- What is added later would stand before the white space.
    if byte(text, from - 1) <= SPACE then return nil end
  end
  if work.inside[v] or work.owners[v] ~= nil then return nil end
  change, container, head = 'ends', p, is_first
  return sub(text, v, e), from, to
end

local function op(name, first, last, x)
  if document.padded then return STALE end
  change, lead = nil, ''
  local p, at, k, parent, close, count = walk(first, last)
  if p == STALE then return STALE end
  if not p then
    local reply, from, _, fragment = more().create(name, first, last, x, k, parent, close, count)
    if not from then return reply end
    local s = tokens[k]
    local start = byte(fragment) == COMMA and 2 or 1
    if count then return add_tail(reply, parent, close, sub(fragment, start), nil, 1) end
    local spelled = byte(s) == QUOTE and s or '"' .. s .. '"'
    return add_tail(reply, parent, close, sub(fragment, start + #spelled + 1), spelled)
  end
  if last < first then more().check_scalar(p) end
  local b = byte(text, p)
  local at_end = name == 'add' and modifiers and modifiers.last
  if b == OPEN_LIST and (name == 'push' or at_end) then
    local shape = work.shapes[p]
    if shape and shape.stale then return STALE end
    local added = at_end and 1 or tonumber(tokens[x + 1])
    local items = at_end and more().addition(x) or tokens[x]
    local length = string.format('%d', elements(p, shape) + added)
    if at_end then length = '' end
    if items == '' then return length end
    return add_tail(length, p, work.facts[p].close, items, nil, added)
  end
  if b == OPEN_LIST and name == 'unshift' and elements(p) > 0 then
    local shape = work.shapes[p]
    if shape and shape.stale then return STALE end
    pushed = tonumber(tokens[x + 1])
    local length = string.format('%d', elements(p, shape) + pushed)
    if tokens[x] == '' then return length end
    change, container = 'head', p
    return length, p + 1, p, tokens[x] .. ','
  end
  if name == 'length' and b == OPEN_LIST then
    local shape = work.shapes[p]
    if shape and shape.stale then return STALE end
    if elements(p, shape) ~= tonumber(tokens[x]) then fail('TEST') end
    return ''
  end
  if name == 'type' or name == 'exists' or name == 'absent'
    or name == 'set' and b == OPEN_OBJECT and modifiers and modifiers.unlessObject
  then
    return perform(name, p, x, at)
  end
  if b == OPEN_LIST and (name == 'shift' or name == 'pop') then
    local shape = work.shapes[p]
    local removed, from, to = from_end(p, shape, name == 'shift')
    if removed or shape then return removed or STALE, from, to, '' end
  end
  -- All others look at the whole value, or at all of its elements.
  if work.inside[p] then return STALE end
  if at_end then -- an object: as a member of any other name
    if work.count > 0 or document.count > 0 then return STALE end
    change = 'elements'
    container = p
    return perform(name, p, x, at)
  end
  local above = way[steps]
  local in_list = not is_part and steps > 0 and byte(text, above) == OPEN_LIST
  if is_part and (last < first or name == 'delete' or name == 'take' or name == 'add') then return STALE end
  if name == 'delete' or name == 'take' or in_list and name == 'add' then
    local shape = work.shapes[above]
    if in_list then
      if shape then return STALE end
      change, container = 'elements', above
      return perform(name, p, x, at)
    end
    local reply, from, to, fragment
    reply, from, to, fragment, comma, is_last = perform(name, p, x, at)
    if shape and (shape.commas and comma and shape.commas[comma] or is_last and shape.tail) then return STALE end
    change, container, head = 'cut', above, p
    return reply, from, to, fragment
  end
  if b == OPEN_LIST and (name == 'unshift' or name == 'shift' or name == 'pop' or name == 'splice') then
    change, container = 'elements', p
    return perform(name, p, x, at)
  end
  local reply, from, to, fragment = perform(name, p, x, at, last < first)
  if from then
    change, container = 'value', p
    if from > p then -- what is appended to a string
      fragment = sub(text, p, from - 1) .. fragment .. '"'
      from, to = p, from
    end
  end
  return reply, from, to, fragment
end

-- Runs one op as `run` does.
function pieces.run(name, first, last, x, ttl)
  segment, change = 0, nil
  if last < first then
    if name == 'set' and not modifiers then return '', WHOLE, WHOLE, tokens[x] end
    local whole = more().whole[name]
    if whole and not (modifiers and modifiers.last) then
      local asks = modifiers and (modifiers.ifAbsent or modifiers.unlessObject and document.owners[document.root])
      local is_blind = name == 'delete' or name == 'add' or name == 'put' or name == 'expire' or name == 'persist'
        or name == 'set' and not asks
      if is_blind then text = document.text else join_all() end
      return whole(x, ttl)
    end
  end
  local reply, from, to, fragment = op(name, first, last, x)
  if reply == STALE then
    join_all()
    reply, from, to, fragment = op(name, first, last, x)
  end
  return reply, from, to, fragment
end

-- ---- What becomes of the document ----

local function add_piece(from, to, ...)
  local piece = { from = from, to = to, n = select('#', ...), ... }
  local count = work.count + 1
  put(work.pieces, count, piece)
  put(work, 'count', count)
  local order = work.last
  if order then put(work, 'last', order < from and from) end
  return piece
end

local function shape_of(p)
  local shape = work.shapes[p]
  if not shape then
    shape = {}
    put(work.shapes, p, shape)
  end
  return shape
end

-- Something changes inside all containers on the way, and in p.
local function touch(p)
  local inside = work.inside
  if p and not inside[p] then put(inside, p, true) end
  for k = steps, 1, -1 do
    local outer = way[k]
    if outer ~= p then
      if inside[outer] then return end
      put(inside, outer, true)
    end
  end
end

-- How long the value is with what the last op returned.
function pieces.length(from, to, fragment)
  return document.length - (to - from + 1) + #lead + #fragment
end

-- Keeps what the last op returned.
function pieces.keep(from, to, fragment)
  put(document, 'length', pieces.length(from, to, fragment))
  if (change == 'value' or change == 'tail') and (byte(fragment) <= SPACE or byte(fragment, -1) <= SPACE) then
    put(document, 'padded', true)
  end
  if change == 'value' then
    if holder and container == work.root then
      put(holder, slot, sub(work.text, 1, from - 1) .. fragment .. sub(work.text, to + 1))
      return
    end
    touch()
    put(work.owners, container, add_piece(from, to, fragment))
    return
  end
  touch(container)
  local shape = shape_of(container)
  if change == 'tail' then
    local tail = shape.tail
    if not tail then
      tail = add_piece(from, to)
      put(shape, 'tail', tail)
    end
    local n = tail.n
    put(tail, n + 1, lead)
    put(tail, n + 2, fragment)
    put(tail, 'n', n + 2)
    if member_name then
      if not shape.added then put(shape, 'added', {}) end
      put(shape.added, meaning(member_name), n + 2)
    else
      put(shape, 'pushed', (shape.pushed or 0) + pushed)
      if pushed > 1 then put(shape, 'several', true) end
    end
  elseif change == 'head' then
    local piece = shape.head
    if not piece then
      piece = add_piece(from, to)
      piece.is_head = true
      put(shape, 'head', piece)
    end
    local n = piece.n + 1
    put(piece, n, fragment)
    put(piece, 'n', n)
    put(shape, 'ahead', (shape.ahead or 0) + pushed)
  elseif change == 'untail' then
    local tail = shape.tail
    put(tail, 'n', tail.n - 2)
    put(shape, 'pushed', shape.pushed - 1)
  elseif change == 'ends' then
    local which = head and 'front' or 'back'
    put(shape, which, (shape[which] or 0) + 1)
    add_piece(from, to)
  elseif change == 'cut' then
    if not shape.commas then put(shape, 'commas', {}) end
    if comma then put(shape.commas, comma, true) end
    if is_last then put(shape, 'cut_last', true) end
    put(work.owners, head, false)
    add_piece(from, to)
  else
    put(shape, 'stale', true)
    add_piece(from, to, fragment)
  end
end
