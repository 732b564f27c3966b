"""Triangle against triangle, all pairs near each other, over a bounding-volume tree."""

from numba import njit


@njit(cache=True, nogil=True, error_model="numpy")
def minus(vertices, a, x, y, z):
    """The vector from (x y z) to vertex a."""
    return vertices[a, 0] - x, vertices[a, 1] - y, vertices[a, 2] - z


@njit(cache=True, nogil=True, error_model="numpy")
def pierces(vertices, p, q, face, margin):
    """Whether edge p q passes from one side of a face to the other, more than `margin` on both, through the
    face, its border included."""
    a = face[0]
    ox, oy, oz = vertices[a, 0], vertices[a, 1], vertices[a, 2]
    ux, uy, uz = minus(vertices, face[1], ox, oy, oz)
    vx, vy, vz = minus(vertices, face[2], ox, oy, oz)
    nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
    square = nx * nx + ny * ny + nz * nz
    px, py, pz = minus(vertices, p, ox, oy, oz)
    qx, qy, qz = minus(vertices, q, ox, oy, oz)
    above, below = nx * px + ny * py + nz * pz, nx * qx + ny * qy + nz * qz
    if above * below >= 0 or min(above * above, below * below) <= margin * margin * square:
        return False
    t = above / (above - below)
    x, y, z = px + t * (qx - px), py + t * (qy - py), pz + t * (qz - pz)
    # barycentric coordinates of the point in the plane, times `square`
    second = nx * (y * vz - z * vy) + ny * (z * vx - x * vz) + nz * (x * vy - y * vx)
    third = nx * (uy * z - uz * y) + ny * (uz * x - ux * z) + nz * (ux * y - uy * x)
    slack = 1e-9 * square
    return second >= -slack and third >= -slack and second + third <= square + slack


@njit(cache=True, nogil=True, error_model="numpy")
def cross_each_other(vertices, one, two, margin):
    """Whether two faces meet in more than the vertices they share; those that share an edge do not count."""
    shared = 0
    for i in range(3):
        for k in range(3):
            shared += one[i] == two[k]
    if shared > 1:
        return False
    for side in range(2):
        first, second = (one, two) if side == 0 else (two, one)
        for i in range(3):
            p, q = first[i], first[(i + 1) % 3]
            free = True
            for k in range(3):
                free = free and second[k] != p and second[k] != q
            if free and pierces(vertices, p, q, second, margin):
                return True
    return False


@njit(cache=True, nogil=True, error_model="numpy")
def mark_crossing(vertices, faces, order, low, high, margin, marked):
    """Marks every face that crosses another.

    Node i of the tree has children 2i and 2i + 1 and the box `low[i]` to `high[i]`; leaf L + k is face
    order[k].
    """
    leaves = len(low) // 2
    for k in range(len(order)):
        one, leaf = order[k], leaves + k
        node = leaf
        while True:  # depth first, without a stack, through what lies to the right of the leaf
            while node & 1:
                node >>= 1
            if node == 0:
                break
            node += 1
            near = True
            while near:
                for axis in range(3):
                    near = near and low[node, axis] <= high[leaf, axis] and high[node, axis] >= low[leaf, axis]
                if not near or node >= leaves:
                    break
                node *= 2
            if near:
                two = order[node - leaves]
                known = marked[one] and marked[two]
                if not known and cross_each_other(vertices, faces[one], faces[two], margin):
                    marked[one] = marked[two] = True
