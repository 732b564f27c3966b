"""Triangle against triangle, all pairs near each other, over a bounding-volume tree.

Node i of the tree has children 2i and 2i + 1 and the box `box[i]`, its low corner, then its high one; leaf L + k
is face order[k], and leaves beyond have empty boxes.
"""

import math

from numba import njit


@njit(cache=True, nogil=True, error_model="numpy")
def spread(code):
    """Ten bits with two zero bits between any two of them."""
    code = (code | (code << 16)) & 0x030000FF
    code = (code | (code << 8)) & 0x0300F00F
    code = (code | (code << 4)) & 0x030C30C3
    return (code | (code << 2)) & 0x09249249


@njit(cache=True, nogil=True, error_model="numpy")
def morton_codes(points, faces, low, scale, codes):
    """Morton code of each face's centre: cells of 1 / `scale`, counted from `low` on all axes, below 1024."""
    for f in range(len(faces)):
        code = 0
        for axis in range(3):
            total = 0.0
            for k in range(3):
                total += points[faces[f, k], axis] - low
            code = code << 1 | spread(int(total * (scale / 3)))
        codes[f] = code


@njit(cache=True, nogil=True, error_model="numpy")
def fill_boxes(points, faces, order, margin, box, plane):
    """Boxes of all nodes, the leaves' larger by `margin` on all sides, and the faces' normals of length twice
    the area."""
    leaves = len(box) // 2
    for leaf in range(leaves):
        if leaf >= len(order):
            for axis in range(3):
                box[leaves + leaf, axis], box[leaves + leaf, axis + 3] = math.inf, -math.inf
            continue
        f = order[leaf]
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        for axis in range(3):
            x, y, z = points[a, axis], points[b, axis], points[c, axis]
            box[leaves + leaf, axis] = min(x, y, z) - margin
            box[leaves + leaf, axis + 3] = max(x, y, z) + margin
        ux, uy, uz = minus(points, b, points[a, 0], points[a, 1], points[a, 2])
        vx, vy, vz = minus(points, c, points[a, 0], points[a, 1], points[a, 2])
        plane[f, 0], plane[f, 1], plane[f, 2] = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
    for node in range(leaves - 1, 0, -1):
        for axis in range(3):
            box[node, axis] = min(box[2 * node, axis], box[2 * node + 1, axis])
            box[node, axis + 3] = max(box[2 * node, axis + 3], box[2 * node + 1, axis + 3])


@njit(cache=True, nogil=True, error_model="numpy")
def minus(points, a, x, y, z):
    """The vector from (x y z) to vertex a."""
    return points[a, 0] - x, points[a, 1] - y, points[a, 2] - z


@njit(cache=True, nogil=True, error_model="numpy")
def through(points, face, x, y, z, dx, dy, dz, slack):
    """Whether the line from (x y z) along (dx dy dz) goes through a face; the border counts, and `slack` beyond it, in
    barycentric coordinates."""
    ax, ay, az = minus(points, face[0], x, y, z)
    bx, by, bz = minus(points, face[1], x, y, z)
    cx, cy, cz = minus(points, face[2], x, y, z)
    one = dx * (by * cz - bz * cy) + dy * (bz * cx - bx * cz) + dz * (bx * cy - by * cx)
    two = dx * (cy * az - cz * ay) + dy * (cz * ax - cx * az) + dz * (cx * ay - cy * ax)
    three = dx * (ay * bz - az * by) + dy * (az * bx - ax * bz) + dz * (ax * by - ay * bx)
    most = slack * abs(one + two + three)
    return min(one, two, three) >= -most or max(one, two, three) <= most


@njit(cache=True, nogil=True, error_model="numpy")
def pierces(points, p, q, face, normal, margin):
    """Whether edge p q passes from one side of a face to the other, more than `margin` on both, through the
    face, its border included."""
    nx, ny, nz = normal[0], normal[1], normal[2]
    ox, oy, oz = points[face[0], 0], points[face[0], 1], points[face[0], 2]
    px, py, pz = minus(points, p, ox, oy, oz)
    qx, qy, qz = minus(points, q, ox, oy, oz)
    above, below = nx * px + ny * py + nz * pz, nx * qx + ny * qy + nz * qz
    least = margin * margin * (nx * nx + ny * ny + nz * nz)
    if above * below >= 0 or min(above * above, below * below) <= least:
        return False
    return through(points, face, points[p, 0], points[p, 1], points[p, 2], qx - px, qy - py, qz - pz, 1e-9)


@njit(cache=True, nogil=True, error_model="numpy")
def beside(points, face, normal, other):
    """Whether the corners of the other face, those shared aside, lie on one side of the plane of the first.

    So too where the two share an edge: one corner has one side.
    """
    a, b, c = face[0], face[1], face[2]
    ox, oy, oz = points[a, 0], points[a, 1], points[a, 2]
    least, most = math.inf, -math.inf
    for k in range(3):
        v = other[k]
        if v != a and v != b and v != c:
            x, y, z = minus(points, v, ox, oy, oz)
            side = normal[0] * x + normal[1] * y + normal[2] * z
            least, most = min(least, side), max(most, side)
    return least >= 0 or most <= 0


@njit(cache=True, nogil=True, error_model="numpy")
def any_pierces(points, one, two, normal, margin):
    """Whether an edge of the first face without a vertex of the second pierces that, whose normal it is."""
    for i in range(3):
        p, q = one[i], one[(i + 1) % 3]
        free = p != two[0] and p != two[1] and p != two[2] and q != two[0] and q != two[1] and q != two[2]
        if free and pierces(points, p, q, two, normal, margin):
            return True
    return False


@njit(cache=True, nogil=True, error_model="numpy")
def find_pairs(tree, margin, wanted, pairs):
    """How many pairs of crossing faces there are; the first of them go into `pairs`, as many as have room.

    With an empty `wanted` all of them, else those with a face that is wanted.
    """
    points, faces, order, box, plane = tree
    leaves, count = len(box) // 2, 0
    everything = len(wanted) == 0
    for k in range(len(order)):
        one, leaf = order[k], leaves + k
        if not everything and not wanted[one]:
            continue
        face, normal = faces[one], plane[one]
        x0, y0, z0, x1, y1, z1 = box[leaf, 0], box[leaf, 1], box[leaf, 2], box[leaf, 3], box[leaf, 4], box[leaf, 5]
        node = follower(leaf) if everything else 1
        while node:  # depth first, without a stack
            near = box[node, 0] <= x1 and box[node, 3] >= x0 and box[node, 1] <= y1 and box[node, 4] >= y0
            if near and box[node, 2] <= z1 and box[node, 5] >= z0:
                if node < leaves:
                    node *= 2
                    continue
                two = order[node - leaves]
                known = not everything and (two == one or (wanted[two] and two < one))
                other, across = faces[two], plane[two]
                if not (known or beside(points, face, normal, other) or beside(points, other, across, face)):
                    crosses = any_pierces(points, face, other, across, margin)
                    if crosses or any_pierces(points, other, face, normal, margin):
                        if count < len(pairs):
                            pairs[count, 0], pairs[count, 1] = min(one, two), max(one, two)
                        count += 1
            node = follower(node)
    return count


@njit(cache=True, nogil=True, error_model="numpy")
def follower(node):
    """The node that comes after one and all below it, depth first; 0 after the last."""
    while node & 1:
        node >>= 1
    return node + 1 if node else 0
